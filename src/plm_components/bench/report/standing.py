"""Who was how fast on one subject: what a chart draws and a table lists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from plm_components.bench.comparison import ALPHA, ratio_interval
from plm_components.bench.interval import Interval, least_blocks
from plm_components.bench.record import Record


@dataclass(frozen=True)
class Standing:
    """A contender that got a time.

    Args:
        record: What was measured.
        median_s: Seconds.
        quartiles_s: Between which half of its rounds lie.
        gain: The oracle's time over its own, between the ends of a 99 % interval (equal ones
            where too few rounds pair); None where there is no oracle.
        wins: Whether it is exact and no other exact one is known to be faster.
    """

    record: Record
    median_s: float
    quartiles_s: tuple[float, float]
    gain: Interval | None
    wins: bool

    @property
    def is_oracle(self) -> bool:
        """Whether the others are compared with it."""
        return self.record.part == self.record.oracle

    @property
    def is_exact(self) -> bool:
        """Whether it keeps the plain kernel's precision."""
        return self.record.precision == "exact"

    @property
    def roofline_share(self) -> float | None:
        """The least possible time as a share of its own; None where no roofline was measured."""
        least = self.record.roofline_s
        return None if least is None else least / self.median_s


def standings(records: Sequence[Record]) -> tuple[Standing, ...]:
    """Those that got a time, fastest first.

    Args:
        records: Of one subject and one run, whose rounds were interleaved.
    """
    timed = sorted((record for record in records if record.rounds_s), key=_median_s)
    oracle = next((record for record in timed if record.part == record.oracle), None)
    fastest = next((record for record in timed if record.precision == "exact"), None)
    return tuple(
        Standing(
            record=record,
            median_s=_median_s(record),
            quartiles_s=_quartiles_s(record),
            gain=None if oracle is None else _ratio(oracle, record),
            wins=_keeps_up(record, fastest),
        )
        for record in timed
    )


def _keeps_up(record: Record, fastest: Record | None) -> bool:
    """Whether it is the fastest exact one, or one that this is not known to beat."""
    if fastest is None or record.precision != "exact":
        return False
    if _pairs(record, fastest):
        return _ratio(record, fastest).low <= 1
    # too few blocks for an interval: beaten is whose best round is behind the other's worst
    return min(record.rounds_s) <= max(fastest.rounds_s)


def _median_s(record: Record) -> float:
    return float(np.median(record.rounds_s))


def _quartiles_s(record: Record) -> tuple[float, float]:
    low, high = np.quantile(record.rounds_s, (0.25, 0.75))
    return float(low), float(high)


def _pairs(record: Record, other: Record) -> bool:
    """Whether both ran in the same blocks, and in enough of them for an interval."""
    count = len(record.rounds_s)
    return count == len(other.rounds_s) and count // 2 >= least_blocks(ALPHA)


def _ratio(slower: Record, faster: Record) -> Interval:
    """Times of one over times of another, block by block where they ran in the same ones."""
    if _pairs(slower, faster):
        return ratio_interval(slower.rounds_s, faster.rounds_s, ALPHA)
    ratio = _median_s(slower) / _median_s(faster)
    return Interval(ratio, ratio, ratio)


def fault_of(record: Record) -> str:
    """What is wrong with it, without its name and sizes, which stand beside it."""
    fault = "" if record.verdict is None else str(record.verdict.fault)
    where, closed, what = fault.partition("): ")
    if not closed or not where.startswith(record.operation):
        return fault
    return f"at another size: {what}" if "(trial)" in where else what
