"""A contender at the gate: prepared once, examined, and let in or not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import Any

import torch

from plm_components.bench.call import Call, copied, prepared
from plm_components.bench.gate import REFUSALS, UNKNOWN, examine
from plm_components.bench.operation import Contender, Function, Operation
from plm_components.bench.record import Verdict
from plm_components.bench.streams import settle
from plm_components.bench.truth import Truths, draw
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
    operation = truths.operation
    try:
        with torch.no_grad():
            function, took = _prepared(operation, contender, truths.seed)
        verdict = examine(operation, contender, truths=truths, function=function)
    except REFUSALS as error:
        return Entrant(contender, None, reason(error))
    except _FirstCallError as error:
        told = f"{operation.name}: the first call raised {error} (seed {truths.seed})"
        return Entrant(contender, replace(UNKNOWN, fault=told), None)
    return Entrant(contender, verdict, None, function, took)


def reason(error: Exception) -> str:
    """One line of what was raised."""
    if isinstance(error, PlmError):
        return error.what
    first = (str(error).strip().splitlines() or [""])[0]
    return f"{type(error).__name__}: {first}"


class _FirstCallError(Exception):
    """Something unexpected while a contender was prepared or asked for the first time."""


def _prepared(
    operation: Operation, contender: Contender, seed: int
) -> tuple[Function, dict[str, float]]:
    """The function, and the seconds it took to prepare and to be called for the first time."""
    try:
        before = perf_counter()
        function = prepared(contender, operation)
        ready = perf_counter()
        first = _first_call_s(operation, function, seed)
    except REFUSALS:
        raise
    except Exception as error:
        raise _FirstCallError(reason(error)) from error
    return function, {"prepare_s": ready - before, "first_call_s": first}


def _first_call_s(operation: Operation, function: Function, seed: int) -> float:
    """With all that is compiled, tuned or loaded then."""
    generator = torch.Generator(operation.device).manual_seed(seed - 1)
    content = draw(operation, generator, "normal")
    call = Call.of(operation, function)
    inputs, cotangents = copied(content.inputs, call.differentiable), content.cotangents
    settle(operation.device)
    before = perf_counter()
    call(inputs, cotangents)
    settle(operation.device)
    return perf_counter() - before
