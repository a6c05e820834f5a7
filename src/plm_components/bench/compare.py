"""Two contenders side by side in one process: gated, interleaved, judged."""

from __future__ import annotations

from plm_components.bench.comparison import ALPHA, BUDGET, Comparison, judge
from plm_components.bench.measure import MODES, measure
from plm_components.bench.operation import Contender, Operation
from plm_components.bench.record import Mode, Record
from plm_components.bench.roofline import Roofline
from plm_components.errors import ContractError, UnsupportedError


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

    The baseline runs twice, prepared anew the second time: by how much it differs from itself is
    the noise floor, which then covers what the order of rounds cannot, such as where memory
    happened to lie. When to stop is decided by time alone, which no order of names can change.

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
        ContractError: one of them is wrong.
        UsageError: the time allows too few blocks for an interval at this ``alpha``.
    """
    chosen = [mode or MODES[operation.device.type][0]]
    records = measure(
        operation,
        [baseline, candidate, baseline],
        modes=chosen,
        budget_s=budget_s,
        roofline=roofline,
        seed=seed,
    )
    for record in records:
        _require_time(record)
    rounds_s = [record.rounds_s for record in records]
    return judge(*rounds_s, budget=budget, alpha=alpha)


def _require_time(record: Record) -> None:
    if record.rounds_s:
        return
    if record.refused is not None:
        raise UnsupportedError(
            f"{record.part} does not compete: {record.refused}",
            where=f"bench.compare of {record.operation}",
            expected="two contenders that can do the operation here",
            fix="compare others, or at another size",
        )
    fault = record.verdict.fault if record.verdict is not None else "it got no time"
    raise ContractError(
        f"{record.part} is wrong, so it is not compared: {fault}",
        where=f"bench.compare of {record.operation}",
        expected="answers within twice the plain kernel's error against float64",
        fix="repair it first; its speed says nothing",
    )
