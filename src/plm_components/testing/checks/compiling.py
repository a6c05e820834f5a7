"""What a part promises that declares ``compiles``: torch's tracer takes it whole."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from plm_components.testing.checks import attention, pooling
from plm_components.testing.checks.modules import MODULES, close, gap
from plm_components.testing.checks.stimuli import Stimulus
from plm_components.testing.outcome import Broken, NotApplicable, expect
from plm_components.testing.roster import check
from plm_components.testing.subject import Subject


@check(*MODULES, "attention", "pooling")
def compiles_whole(subject: Subject) -> None:
    """Where it declares ``compiles``, torch.compile traces it whole, and nothing else comes out."""
    if not getattr(subject.cls, "compiles", False):
        raise NotApplicable("does not declare that it compiles")
    with _tracer():
        for where, run, inputs in _runs(subject):
            want = run(*inputs)
            try:
                # traced and differentiated as ever, then run as it was traced: no compiler is asked
                got = torch.compile(run, fullgraph=True, backend="aot_eager")(*inputs)
            except Exception as error:
                raise Broken(f"{where}: {_first_lines(error)}") from error
            expect(close(got, want), f"{where}: compiled it differs by {gap(got, want):.3g}")


def _runs(
    subject: Subject,
) -> Iterator[tuple[str, Callable[..., Tensor], tuple[Tensor, ...]]]:
    if subject.kind == "attention":
        yield from attention.runs(subject)
    elif subject.kind == "pooling":
        yield from pooling.runs(subject)
    else:
        part, stimulus = subject.build_random(), Stimulus(subject)
        yield "evaluated", lambda x: stimulus.output(part, (x,)), stimulus.inputs(part)


@contextmanager
def _tracer() -> Iterator[None]:
    """Nothing is kept from one part to the next, and the tracer's own warnings concern nobody."""
    torch._dynamo.reset()
    try:
        with warnings.catch_warnings():
            # torch 2.11 warns of itself at any autograd.Function, which may have been made an error
            warnings.simplefilter("ignore")
            yield
    finally:
        torch._dynamo.reset()


def _first_lines(error: Exception) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {' '.join(lines[:2])}"
