"""A measured table out of records: what ``attention: auto`` chooses by."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

from plm_components.bench.contenders import is_chooser
from plm_components.bench.hardware import Hardware
from plm_components.bench.record import Mode, Record
from plm_components.errors import UsageError
from plm_components.measured import Row, Table, write_table
from plm_components.zoo import Zoo, default_zoo


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
        MeasurementError: the file cannot be written.
    """
    table = Table(hardware.machine, tuple(_rows(records, mode, zoo or default_zoo())))
    if not table.rows:
        raise UsageError(
            "No attention part got a time, so there is nothing to choose by.",
            where="bench, tune",
            expected="at least one part that passed the gate",
            fix="bench a composition that has an attention slot, and not --only other kinds",
        )
    write_table(path, table)
    return table


def _rows(records: Sequence[Record], mode: Mode, zoo: Zoo) -> Iterator[Row]:
    choosers = {
        (entry.address, entry.provider.distribution)
        for entry in zoo.entries("attention")
        if is_chooser(entry)
    }
    for record in records:
        kind, _, spelling = record.part.partition("/")
        address = f"{kind}/{spelling.rpartition(':')[2]}"
        is_whole = record.kind == "attention" and record.mode == mode
        if is_whole and record.rounds_s and (address, record.provider) not in choosers:
            yield _row(record, address)


def _row(record: Record, address: str) -> Row:
    if record.verdict is None:
        raise AssertionError("a record with times has passed the gate")
    sizes = record.sizes
    return Row(
        kind="attention",
        part=address,
        provider=record.provider,
        version=record.version,
        mask=str(sizes["mask"]),
        dtype=record.dtype,
        backward=record.backward,
        batch=int(sizes["batch"]),
        num_heads=int(sizes["num_heads"]),
        num_kv_heads=int(sizes["num_kv_heads"]),
        head_dim=int(sizes["head_dim"]),
        num_queries=int(sizes["num_queries"]),
        num_keys=int(sizes["num_keys"]),
        median_s=median(record.rounds_s),
        error=record.verdict.largest,
    )
