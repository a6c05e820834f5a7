"""A contender at the gate: prepared once, examined, and let in or not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import Any

import torch

from plm_components.bench.call import Call, copied, prepared
from plm_components.bench.gate import UNKNOWN, examine, told
from plm_components.bench.operation import Contender, Function, Operation
from plm_components.bench.record import Verdict
from plm_components.bench.streams import settle
from plm_components.bench.truth import Content, Truths, draw
from plm_components.bench.unable import is_unable
from plm_components.errors import PlmError


@dataclass(frozen=True)
class Entrant:
    """What the gate made of a contender.

    Args:
        contender: Who.
        verdict: What the gate found; None where it was not asked.
        refused: Why it does not compete; None where it may.
        function: What it prepared, where it is let in.
        conditions: How long that took.
    """

    contender: Contender
    verdict: Verdict | None
    refused: str | None
    function: Function | None = None
    conditions: Mapping[str, Any] = field(default_factory=dict)

    @property
    def may_run(self) -> bool:
        """Whether it gets a time."""
        return self.refused is None and self.verdict is not None and self.verdict.fault is None


def enter(contender: Contender, truths: Truths) -> Entrant:
    """Prepares a contender, asks it once by the clock, and examines the very same function."""
    operation, nobody = truths.operation, Entrant(contender, None, None)
    generator = torch.Generator(operation.device).manual_seed(truths.seed - 1)
    content = draw(operation, generator, "normal")
    step = "preparing"
    try:
        with torch.no_grad():
            before = perf_counter()
            function = prepared(contender, operation)
            ready = perf_counter()
            step = "the first call"
            first = _first_call_s(operation, function, content)
    except Exception as error:
        return barred(nobody, error, step, truths)
    try:
        verdict = examine(operation, contender, truths=truths, function=function)
    except Exception as error:
        if not is_unable(error):
            raise
        return replace(nobody, refused=reason(error))
    took = {"prepare_s": ready - before, "first_call_s": first}
    return Entrant(contender, verdict, None, function, took)


def barred(entrant: Entrant, error: Exception, step: str, truths: Truths) -> Entrant:
    """One that raised, and does not compete: unable, or wrong.

    Args:
        entrant: Who.
        error: What was raised.
        step: While what was done.
        truths: Of the operation.
    """
    if is_unable(error):
        return replace(entrant, refused=reason(error))
    fault = f"{told(truths.operation)}: {step} raised {reason(error)} (seed {truths.seed})"
    return replace(entrant, verdict=replace(entrant.verdict or UNKNOWN, fault=fault))


def reason(error: Exception) -> str:
    """One line of what was raised."""
    if isinstance(error, PlmError):
        return error.what
    first = (str(error).strip().splitlines() or [""])[0]
    return f"{type(error).__name__}: {first}"


def _first_call_s(operation: Operation, function: Function, content: Content) -> float:
    """With all that is compiled, tuned or loaded then."""
    call = Call.of(operation, function)
    inputs, cotangents = copied(content.inputs, call.differentiable), content.cotangents
    settle(operation.device)
    before = perf_counter()
    call(inputs, cotangents)
    settle(operation.device)
    return perf_counter() - before
