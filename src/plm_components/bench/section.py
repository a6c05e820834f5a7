"""What pytest-benchmark's table has no columns for, as lines of text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Any

from plm_components.bench.files import label
from plm_components.bench.hardware import hardware
from plm_components.bench.record import Record
from plm_components.bench.report.amounts import seconds, share, times
from plm_components.bench.spread import deviation

_COLUMNS = ("part", "median", "± MAD", "TFLOP/s", "GB/s", "FLOP/B", "roofline", "error", "rms", "")


def section_lines(records: Sequence[Record]) -> list[str]:
    """A table for every comparison: times, rates, the share of the measured roofline, errors.

    Args:
        records: In any order; what got no time says why.
    """
    groups: dict[str, list[Record]] = {}
    for record in records:
        groups.setdefault(label(record), []).append(record)
    return [line for name, members in groups.items() for line in ("", name, *_table(members))]


def hardware_lines(records: Sequence[Record], compared: Iterable[Mapping[str, Any]]) -> list[str]:
    """What was measured on, and whether the file this run is compared with is of another."""
    lines = []
    for device in dict.fromkeys(record.device for record in records):
        here = hardware(device)
        lines.append(f"{here.name}, torch {here.torch}, {here.threads} threads on the processor")
        lines += [
            f"NOT COMPARABLE: the file compared with is of {then['name']}, torch {then['torch']}"
            for then in compared
            if (then["slug"], then["torch"]) != (here.slug, here.torch)
        ]
    return lines


def _table(records: Sequence[Record]) -> list[str]:
    oracle = next((r for r in records if r.part == r.oracle and r.rounds_s), None)
    rows = [_COLUMNS, *(_row(record, oracle) for record in records if record.rounds_s)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(_COLUMNS))]
    lines = [_aligned(row, widths) for row in rows] if len(rows) > 1 else []
    return lines + [f"  {_untimed(record)}" for record in records if not record.rounds_s]


def _aligned(row: Sequence[str], widths: Sequence[int]) -> str:
    first, *rest = zip(row, widths, strict=True)
    cells = [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in rest)]
    return f"  {'  '.join(cells)}".rstrip()


def _row(record: Record, oracle: Record | None) -> tuple[str, ...]:
    took = median(record.rounds_s)
    verdict = record.verdict
    assert verdict is not None, "without a verdict there is no time"
    fast = " (fast)" if record.precision == "fast" else ""
    return (
        record.part + fast,
        seconds(took),
        seconds(deviation(record.rounds_s)),
        f"{record.flops / took / 1e12:.3g}",
        f"{record.bytes / took / 1e9:.3g}",
        f"{record.flops / record.bytes:.3g}" if record.bytes else "-",
        "-" if record.roofline_s is None else share(record.roofline_s / took),
        times(verdict.largest),
        times(verdict.rms),
        _against(took, oracle, record),
    )


def _against(took: float, oracle: Record | None, record: Record) -> str:
    if oracle is None:
        return ""
    if record is oracle:
        return "oracle"
    return f"{times(median(oracle.rounds_s) / took)} as fast"


def _untimed(record: Record) -> str:
    if record.refused is not None:
        return f"{record.part}: refused: {record.refused}"
    fault = record.verdict.fault if record.verdict is not None else None
    return f"{record.part}: {'INVALID: ' + fault if fault else 'not timed'}"
