"""The second table: each median beside the oracle's of the same run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Row:
    """One timed part.

    Args:
        group: What was computed, on which shape and dtype.
        part: Who computed it.
        median_s: Seconds.
        spread_s: Interquartile range, seconds.
        error: Its largest error against float64, as a multiple of the plain kernel's.
        is_oracle: Whether the others are compared with it.
    """

    group: str
    part: str
    median_s: float
    spread_s: float
    error: float
    is_oracle: bool


@dataclass
class Ledger:
    """Rows in the order they were timed."""

    rows: list[Row] = field(default_factory=list)

    def time(
        self, benchmark: Any, call: Any, *, group: str, part: str, error: float, is_oracle: bool
    ) -> None:
        """Times a call whose answer was checked; nothing is written where timing is off."""
        benchmark.group = group
        benchmark.extra_info.update(part=part, error_vs_plain=error, is_oracle=is_oracle)
        benchmark(call)
        if benchmark.stats is not None:
            stats = benchmark.stats.stats
            self.rows.append(Row(group, part, stats.median, stats.iqr, error, is_oracle))

    @staticmethod
    def lines(rows: Sequence[Row]) -> list[str]:
        """A group, fastest first."""
        oracle = next((row.median_s for row in rows if row.is_oracle), None)
        ordered = sorted(rows, key=lambda row: row.median_s)
        return [_line(row, oracle) for row in ordered]


def _line(row: Row, oracle_s: float | None) -> str:
    ratio = "      -" if oracle_s is None else f"{oracle_s / row.median_s:6.2f}x"
    time = f"{row.median_s * 1e3:10.3f} ms ± {row.spread_s * 1e3:.3f}"
    mark = "  oracle" if row.is_oracle else ""
    return f"  {row.part:28}{time:28}{ratio}  error {row.error:.2f}x plain{mark}"
