"""Writes ``docs/measurements.md`` from the files in ``benchmarks/results``."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

from plm_components.bench.files import Measurements, read
from plm_components.bench.record import Record

RESULTS = Path(__file__).parent.parent / "benchmarks" / "results"

HEAD = """\
# Measurements

One section a machine, from the files in `benchmarks/results`: written by `make docs`, do not edit.
How each figure comes about, and what it is worth, is told in [benchmarks.md](benchmarks.md).

- *against* is the time of the row marked ↑ over the row's own, medians of rounds that took turns in
  one process. Rows of one table were measured together.
- *error* is the largest error against float64, as a multiple of the plain kernel's own. What is
  beyond twice that and one unit in the last place gets no time, unless it says `fast`.
- *of roofline* is the least time that the machine's own matrix product and copy allow, as a share.
"""


def measurements_page() -> str:
    """The whole page."""
    machines = (_machine(read(path), path) for path in sorted(RESULTS.glob("*.json")))
    return "\n".join([HEAD, *machines]).rstrip() + "\n"


def _machine(found: Measurements, path: Path) -> str:
    hardware = found.hardware
    if hardware is None:
        raise ValueError(f"{path.name} does not say where it was measured")
    commit = str(found.commit.get("id", "unknown"))[:9]
    lines = [
        f"## {hardware.name}\n",
        f"torch {hardware.torch}, {hardware.threads} threads; {found.datetime[:10]}, commit "
        f"`{commit}`; every round is in [{path.name}](../benchmarks/results/{path.name}).\n",
    ]
    if hardware.device == "cpu":
        lines.append("A shared processor: times are left out, only ratios mean something.\n")
    return "\n".join([*lines, *_tables(found.records)])


def _tables(records: Iterable[Record]) -> Iterator[str]:
    for (name, mode, backward, _, _), rows in groupby(records, _together):
        members = list(rows)
        timed = [row for row in members if row.rounds_s]
        if len(timed) > 1:
            direction = ", forward and backward" if backward else ""
            yield f"### {name}, {timed[0].dtype}{direction} ({mode})\n"
            yield f"{_sizes(timed[0])}.\n"
            yield from _rows(timed)


def _together(record: Record) -> tuple[object, ...]:
    # one call of measure: what it drew its inputs from is its own
    seed = record.conditions.get("seed")
    return record.operation, record.mode, record.backward, str(dict(record.sizes)), seed


def _rows(timed: list[Record]) -> Iterator[str]:
    base = next((row for row in timed if row.part == row.oracle), timed[-1])
    is_gpu = base.device != "cpu"
    yield f"| | {'median | ' if is_gpu else ''}against | error | of roofline |"
    yield f"|---|{'--:|' if is_gpu else ''}--:|--:|--:|"
    for row in sorted(timed, key=_median):
        time = f"{_median(row) * 1e6:,.1f} µs | " if is_gpu else ""
        mark = " ↑" if row is base else ""
        told = f"`{row.part}`{' fast' if row.precision == 'fast' else ''}{mark}"
        ratio = f"{_median(base) / _median(row):.2f}x"
        yield f"| {told} | {time}{ratio} | {_error(row)} | {_share(row)} |"
    yield ""


def _median(record: Record) -> float:
    return statistics.median(record.rounds_s)


def _error(record: Record) -> str:
    return "" if record.verdict is None else f"{record.verdict.largest:.2f}"


def _share(record: Record) -> str:
    return "" if record.roofline_s is None else f"{record.roofline_s / _median(record):.0%}"


def _sizes(record: Record) -> str:
    return ", ".join(f"{name} {size}".replace("_", " ") for name, size in record.sizes.items())
