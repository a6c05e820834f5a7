"""A measured table out of records: what ``attention: auto`` chooses by."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median

from plm_components.bench.contenders import is_chooser
from plm_components.bench.files import read
from plm_components.bench.hardware import Hardware
from plm_components.bench.measure import MODES
from plm_components.bench.record import Mode, Record
from plm_components.errors import MeasurementError, UsageError
from plm_components.measured import Row, Table, write_table
from plm_components.zoo import Zoo, default_zoo

_SIZES = ("batch", "num_heads", "num_kv_heads", "head_dim", "num_queries", "num_keys")


def tune(
    path: Path,
    records: Sequence[Record],
    hardware: Hardware,
    *,
    mode: Mode,
    zoo: Zoo | None = None,
) -> Table:
    """Writes the attention parts that passed the gate, with their times.

    Args:
        path: Of the table; what was there is replaced.
        records: Of any operations.
        hardware: Where they were measured.
        mode: Whose times are taken: those of different modes are not comparable.
        zoo: Tells parts that choose among others, which have no time of their own.

    Raises:
        UsageError: no attention part got a time.
        MeasurementError: a record is of no attention call, or the file cannot be written.
    """
    table = Table(hardware.machine, tuple(_rows(records, mode, zoo or default_zoo())))
    if not table.rows:
        raise UsageError(
            f"No attention part got a time in mode {mode}, so there is nothing to choose by.",
            where="bench, tune",
            expected="at least one part that passed the gate",
            fix="bench a composition that has an attention slot, in that --mode, and not --only "
            "other kinds",
        )
    write_table(path, table)
    return table


def tune_files(
    path: Path, files: Sequence[str | Path], *, mode: Mode | None = None, zoo: Zoo | None = None
) -> Table:
    """One table out of several files of measurements of one machine.

    Args:
        path: Of the table; what was there is replaced.
        files: As ``plm bench --out`` writes them; where two measured the same, the later counts.
        mode: Whose times are taken; the first of the device's modes if None.
        zoo: As for :func:`tune`.

    Raises:
        MeasurementError: a file cannot be read, does not name its hardware, or the table cannot be
            written.
        UsageError: files of several machines, or nothing in them.
    """
    found = sorted((read(Path(file)) for file in files), key=lambda one: one.datetime)
    machines = list(dict.fromkeys(one.hardware and one.hardware.machine for one in found))
    hardware = found[-1].hardware if found else None
    if hardware is None or len(machines) != 1:
        raise UsageError(
            f"The files are of {', '.join(map(str, machines)) or 'no machine'}.",
            where="plm bench tune",
            expected="files of one machine, which they name, with one version of torch",
            fix="write one table a machine",
        )
    records = [record for one in found for record in one.records]
    return tune(path, records, hardware, mode=mode or MODES[hardware.device][0], zoo=zoo)


def _rows(records: Sequence[Record], mode: Mode, zoo: Zoo) -> Iterable[Row]:
    """Each part and shape once: where it was measured again, the last time."""
    choosers = {
        (entry.address, entry.provider.distribution)
        for entry in zoo.entries("attention")
        if is_chooser(entry)
    }
    rows: dict[Row, Row] = {}
    for record in records:
        kind, _, spelling = record.part.partition("/")
        address = f"{kind}/{spelling.rpartition(':')[2]}"
        is_meant = record.kind == "attention" and record.mode == mode
        if is_meant and record.rounds_s and (address, record.provider) not in choosers:
            row = _row(record, address)
            rows[replace(row, median_s=0.0, error=0.0)] = row
    return rows.values()


def _row(record: Record, address: str) -> Row:
    if record.verdict is None:
        raise AssertionError("a record with times has passed the gate")
    return Row(
        kind="attention",
        part=address,
        provider=record.provider,
        version=record.version,
        mask=str(record.sizes.get("mask", "")),
        dtype=record.dtype,
        backward=record.backward,
        **{name: _size(record, name) for name in _SIZES},
        median_s=median(record.rounds_s),
        error=record.verdict.largest,
    )


def _size(record: Record, name: str) -> int:
    size = record.sizes.get(name)
    if isinstance(size, int):
        return size
    raise MeasurementError(
        f"{record.operation} of {record.part} has no {name}.",
        where="bench, tune",
        expected=f"sizes of an attention call: mask, {', '.join(_SIZES)}",
        fix="measure again: plm bench SPEC --out FILE",
    )
