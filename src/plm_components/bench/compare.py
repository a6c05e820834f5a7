"""Two contenders side by side in one process: gated, interleaved, judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from plm_components.bench.comparison import ALPHA, BUDGET, Comparison, judge
from plm_components.bench.interval import least_blocks
from plm_components.bench.measure import MODES, measure
from plm_components.bench.operation import Contender, Operation
from plm_components.bench.record import Mode, Record
from plm_components.bench.roofline import Roofline
from plm_components.errors import UnsupportedError, WrongAnswerError


def compare(
    operation: Operation,
    baseline: Contender,
    candidate: Contender,
    *,
    budget: float = BUDGET,
    alpha: float = ALPHA,
    mode: Mode | None = None,
    budget_s: float = 1.0,
    roofline: Roofline | None = None,
    seed: int | None = None,
) -> Comparison:
    """Says whether the candidate is slower or faster than the baseline by more than ``budget``.

    When to stop is decided by time, which no exchange of names can change, and not before there
    are blocks enough for an interval.

    Args:
        operation: What both compute.
        baseline: Whom the candidate is compared with.
        candidate: Who is judged.
        budget: What it may be slower or faster by, as a fraction (see ``read_budget``).
        alpha: How often a candidate that is the baseline may be called slower or faster.
        mode: How rounds are timed; the first of the device's modes if None.
        budget_s: Seconds of rounds for each of the three.
        roofline: Of the device; measured here by default.
        seed: Of the inputs; a fresh one by default.

    Raises:
        UnsupportedError: one of them cannot do the operation, or cannot run here.
        WrongAnswerError: one of them is wrong.
    """
    records = measure(
        operation,
        trio(baseline, candidate),
        modes=[mode or MODES[operation.device.type][0]],
        budget_s=budget_s,
        min_blocks=least_blocks(alpha),
        roofline=roofline,
        seed=seed,
    )
    return comparison_of(records, budget=budget, alpha=alpha)


def trio(baseline: Contender, candidate: Contender) -> list[Contender]:
    """Baseline, candidate, and the baseline once more.

    It is prepared anew the second time: by how much it differs from itself is the noise floor,
    which covers what no order of rounds can, such as where memory happened to lie.
    """
    return [baseline, candidate, replace(baseline, part=f"{baseline.part} (again)")]


def comparison_of(records: Sequence[Record], *, budget: float, alpha: float) -> Comparison:
    """Judges the records of a trio that was measured in one mode.

    Raises:
        UnsupportedError, WrongAnswerError: as ``compare``.
        UsageError: too few blocks for an interval at this ``alpha``.
    """
    require_runners(records)
    for record in records:
        _require_time(record)
    baseline, candidate, again = (record.rounds_s for record in records)
    return judge(baseline, candidate, again, budget=budget, alpha=alpha)


def require_runners(records: Sequence[Record]) -> None:
    """Refuses a trio of which one does not compete.

    Raises:
        UnsupportedError: names it, with its reason.
    """
    for record in records:
        if record.refused is not None:
            raise UnsupportedError(
                f"{record.part} does not compete: {record.refused}",
                where=f"bench.compare of {record.operation}",
                expected="two contenders that can do the operation here",
                fix="compare others, or at another size",
            )


def _require_time(record: Record) -> None:
    if record.rounds_s:
        return
    fault = record.verdict.fault if record.verdict is not None else "it got no time"
    raise WrongAnswerError(
        f"{record.part} is wrong, so it is not compared: {fault}",
        where=f"bench.compare of {record.operation}",
        expected="answers within twice the plain kernel's error against float64, done in time",
        fix="repair it first; its speed says nothing",
    )
