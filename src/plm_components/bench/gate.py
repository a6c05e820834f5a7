"""No wrong answer gets a time: a contender against float64, on inputs it has never seen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import compress

import torch
from torch import Tensor

from plm_components.bench.call import Call, as_tuple, copied, prepared
from plm_components.bench.judgement import Judgement, judgement
from plm_components.bench.memory import identical, poison, shares_memory
from plm_components.bench.operation import Contender, Function, Operation
from plm_components.bench.record import Verdict
from plm_components.bench.streams import delay, settle, unfinished
from plm_components.bench.truth import Case, Content, Truths
from plm_components.bench.unable import is_unable
from plm_components.errors import UnavailableError

# nothing was found out about its errors
UNKNOWN = Verdict(float("inf"), float("inf"), float("inf"))


class WrongError(Exception):
    """What is wrong with a contender's answer; never leaves this package."""


def examine(
    operation: Operation,
    contender: Contender,
    *,
    seed: int | None = None,
    truths: Truths | None = None,
    function: Function | None = None,
) -> Verdict:
    """Holds a contender to the truth: at its own size and at every trial's.

    Each is asked three times, on normal, wide and large inputs written into the same memory, which
    is behind a busy stream on a GPU. Memory for the answer is filled with NaN before. An answer
    must be right when the stream says it is there, stay what it is afterwards, and have memory of
    its own; inputs must stay as they were. A trial that the contender declares it cannot do is left
    out.

    Args:
        operation: What is asked.
        contender: Who is asked.
        seed: Of all inputs; a fresh one by default. Every fault names it.
        truths: Of the operation, where they are known already; they bring their own seed.
        function: What the contender prepared for the operation itself, where it was prepared.

    Returns:
        The errors of ordinary inputs at the operation's own size, and the first fault anywhere.

    Raises:
        UnsupportedError: the contender cannot do the operation.
        UnavailableError: it cannot run here.
        torch.OutOfMemoryError: the device is too small for it.
    """
    truths = truths or Truths(operation, seed)
    with torch.no_grad():
        return _verdict(truths, contender, function)


def _verdict(truths: Truths, contender: Contender, function: Function | None) -> Verdict:
    found = UNKNOWN
    for place, (trial, cases) in enumerate(truths):
        known = function if place == 0 else None
        try:
            ordinary = _try(trial, cases, contender, known)
        except WrongError as wrong:
            return replace(found, fault=f"{told(trial)}: {wrong} (seed {truths.seed})")
        except Exception as unable:
            if place == 0:
                raise
            # who is available at the size that is timed is so at every other
            if isinstance(unable, UnavailableError):
                fault = f"{told(trial)}: raised {unable.what} (seed {truths.seed})"
                return replace(found, fault=fault)
            found = replace(found, declined=found.declined + 1)
            continue
        if place == 0:
            found = Verdict(*ordinary.multiples)
        else:
            found = replace(found, trials=found.trials + 1)
    return found


def _try(
    trial: Operation, cases: Sequence[Case], contender: Contender, known: Function | None
) -> Judgement:
    """Every case of one trial, in the same memory; the judgement of the first."""
    stimulus = "preparing"
    try:
        call = Call.of(trial, prepared(contender, trial) if known is None else known)
        desk = _Desk(call, trial.device, cases[0])
        found = []
        for case in cases:
            stimulus = f"{case.stimulus} inputs"
            found.append(desk.ask(case, contender))
        stimulus = "asked again"
        _require_done(desk.call, trial.device)
    except WrongError as wrong:
        raise WrongError(f"{stimulus}: {wrong}") from None
    except Exception as error:
        if is_unable(error):
            raise
        raise WrongError(f"{stimulus}: raised {type(error).__name__}: {error}") from error
    return found[0]


@dataclass(frozen=True)
class _Answer:
    """Tensors in memory of their own, and copies made behind the call in the stream's order."""

    given: tuple[Tensor, ...]
    read: tuple[Tensor, ...]


class _Desk:
    """Where one function is asked one question after another."""

    def __init__(self, call: Call, device: torch.device, first: Case) -> None:
        self._call = call
        self._device = device
        self._inputs = copied(first.content.inputs, call.differentiable)
        # who does not wait for its inputs finds none
        for place in self._inputs:
            place.data.zero_()
        self._cotangents = copied(first.content.cotangents, ())
        self._before: _Answer | None = None

    def call(self) -> object:
        """Once more, on what lies there."""
        return self._call(self._inputs, self._cotangents)

    def ask(self, case: Case, contender: Contender) -> Judgement:
        """The judgement of an answer in which nothing is wrong.

        Raises:
            WrongError: something is.
        """
        poison(case.truth.plain)
        delay(self._device)
        self._lay_out(case.content)
        given = as_tuple(self._call(self._inputs, self._cotangents))
        read = tuple(tensor.detach().clone() for tensor in given)
        settle(self._device)
        self._inspect(given, read, case.content)
        names = self._call.names(case.truth.num_outputs)
        found = judgement(read, case.truth, names, contender)
        if found.fault:
            raise WrongError(found.fault)
        return found

    def _lay_out(self, content: Content) -> None:
        """Other content in the same memory; the version that autograd counts stays as it is."""
        places = (*self._inputs, *self._cotangents)
        for place, tensor in zip(places, (*content.inputs, *content.cotangents), strict=True):
            place.data.copy_(tensor)

    def _inspect(self, given: Sequence[Tensor], read: Sequence[Tensor], content: Content) -> None:
        """What can be wrong with an answer whatever its numbers are."""
        _require(_all_identical(self._inputs, content.inputs), "an input was written to")
        _require(_all_identical(self._cotangents, content.cotangents), "a cotangent was written to")
        alias = any(shares_memory(tensor, self._inputs) for tensor in given)
        _require(not alias, "the answer lies in the memory of an input")
        # the gradient of a sum is the cotangent itself
        own = [not shares_memory(tensor, self._cotangents) for tensor in given]
        answer = _Answer(tuple(compress(given, own)), tuple(compress(read, own)))
        if self._before is not None:
            again = any(shares_memory(tensor, self._before.given) for tensor in answer.given)
            _require(not again, "the answer is handed out in the memory of the call before")
            kept = _all_identical(self._before.given, self._before.read)
            _require(kept, "the answer of the call before has changed since")
        _require(
            _all_identical(answer.given, answer.read),
            "the answer was not there when the stream said so: work on a side stream",
        )
        self._before = answer


def _require_done(run: Callable[[], object], device: torch.device) -> None:
    late = unfinished(run, device)
    _require(late is None, str(late))


def _require(holds: bool, seen: str) -> None:
    if not holds:
        raise WrongError(seen)


def _all_identical(tensors: Iterable[Tensor], others: Iterable[Tensor]) -> bool:
    return all(identical(one, other) for one, other in zip(tensors, others, strict=True))


def told(operation: Operation) -> str:
    """``projector/plm-1b (batch=36, …)``: what every fault begins with."""
    sizes = ", ".join(f"{name}={size}" for name, size in operation.sizes.items())
    return f"{operation.name} ({sizes})"
