"""A measured table on the disk: JSON, read strictly and within bounds, written whole."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from plm_components.atomic import atomic_file
from plm_components.errors import MeasurementError
from plm_components.measured.table import Machine, Row, Table
from plm_components.untrusted import read_json, reason, shown

SCHEMA = 1
MAX_BYTES = 16 << 20
MAX_ROWS = 20_000
_MAX_LETTERS = 200
_MAX_COUNT = 2**31

_MASKS = ("Full", "Causal", "Documents", "CausalCached")
_DEVICES = ("cpu", "cuda", "mps", "xpu")
_WRITE_ANEW = "measure again: plm bench SPEC --tune FILE writes such a table"
_Read = TypeVar("_Read", Machine, Row)


def read_table(path: Path) -> Table:
    """The table in a file.

    Args:
        path: A JSON file that ``write_table`` wrote; it may be anybody's.

    Raises:
        MeasurementError: it cannot be read, is no such table, or is of a newer schema.
    """
    try:
        return _table(read_json(path, MAX_BYTES))
    except _NewerError as error:
        raise MeasurementError(
            f"The measured table is of schema {error}.",
            where=str(path),
            expected=f"schema {SCHEMA}",
            fix="use the version of plm-components that wrote it, or measure again",
        ) from None
    except (OSError, ValueError) as error:
        raise MeasurementError(
            f"The measured table cannot be read: {reason(error)}.",
            where=str(path),
            expected="a JSON file with schema, hardware and rows",
            fix=_WRITE_ANEW,
        ) from error


def write_table(path: Path, table: Table) -> None:
    """Writes a table; what was there is replaced when all of it is on the disk.

    Args:
        path: Where; its directory exists.
        table: What was measured. Rows are sorted, so that equal tables are equal files.

    Raises:
        MeasurementError: the file cannot be written, or no reader would take the table.
    """
    data = {
        "schema": SCHEMA,
        "hardware": asdict(table.machine),
        "rows": [asdict(row) for row in sorted(table.rows, key=_identity)],
    }
    try:
        _table(data)
        with atomic_file(path, overwrite=True) as staging:
            staging.write_text(_text(data), encoding="utf-8")
    except (OSError, ValueError) as error:
        raise MeasurementError(
            f"The measured table cannot be written: {reason(error)}.",
            where=str(path),
            expected="a file in a directory that exists, and rows that can be read back",
            fix="name another file, or mend the row",
        ) from error


class _NewerError(ValueError):
    """Of a schema that this version does not know; its text is that schema."""


def _text(data: dict[str, Any]) -> str:
    """One row a line: a table is read by people too, and compared line by line."""
    head = json.dumps({"schema": data["schema"], "hardware": data["hardware"]}, indent=2)
    rows = ",\n    ".join(json.dumps(row, allow_nan=False) for row in data["rows"])
    return f'{head[:-2]},\n  "rows": [\n    {rows}\n  ]\n}}\n'


def _table(data: object) -> Table:
    match data:
        case {"schema": found, **rest} if not _is_schema(found):
            raise _NewerError(shown(found))
        case {"schema": _, "hardware": dict(machine), "rows": list(rows), **rest} if not rest:
            if len(rows) > MAX_ROWS:
                raise ValueError(f"it has {len(rows):,} rows, {MAX_ROWS:,} are allowed")
            read = [_read(Row, row, f"row {n}") for n, row in enumerate(rows, start=1)]
            _require_distinct(read)
            return Table(_read(Machine, machine, "hardware"), tuple(read))
        case _:
            raise ValueError("it is no mapping of schema, hardware and rows alone")


def _is_schema(found: object) -> bool:
    return type(found) is int and found == SCHEMA


def _read(cls: type[_Read], data: object, where: str) -> _Read:
    if not isinstance(data, dict):
        raise ValueError(f"{where} is no mapping")
    names = {field.name for field in fields(cls)}
    for word, wrong in (("lacks", names - data.keys()), ("has", data.keys() - names)):
        if wrong:
            raise ValueError(f"{where} {word} {shown(min(wrong))}")
    # annotations are text here, as everywhere under the future import
    read = {f.name: _value(data[f.name], str(f.type), f"{where}, {f.name}") for f in fields(cls)}
    found = cls(**read)
    _require_sense(found, where)
    return found


def _value(value: object, wanted: str, where: str) -> Any:
    fits, told = _VALUES[wanted]
    if not fits(value):
        _refuse(where, value, told)
    return float(value) if wanted == "float" else value  # type: ignore[arg-type]


def _is_word(value: object) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= _MAX_LETTERS and value.isprintable()


def _is_count(value: object) -> bool:
    return type(value) is int and 1 <= value < _MAX_COUNT


def _is_amount(value: object) -> bool:
    return type(value) in (int, float) and 0 <= value < _MAX_COUNT  # type: ignore[operator]


# by the annotation of a field: what it takes, and that in words
_VALUES: dict[str, tuple[Callable[[object], bool], str]] = {
    "str": (_is_word, f"1 to {_MAX_LETTERS} printable letters"),
    "bool": (lambda value: isinstance(value, bool), "true or false"),
    "int": (_is_count, "a whole number from 1"),
    "float": (_is_amount, "a number from 0"),
}


def _require_sense(found: Machine | Row, where: str) -> None:
    if isinstance(found, Machine):
        if found.device not in _DEVICES:
            _refuse(f"{where}, device", found.device, f"one of {', '.join(_DEVICES)}")
        return
    if found.mask not in _MASKS:
        _refuse(f"{where}, mask", found.mask, f"one of {', '.join(_MASKS)}")
    if not found.part.startswith(f"{found.kind}/"):
        _refuse(f"{where}, part", found.part, f"an address, {found.kind}/name")
    if found.median_s == 0:
        _refuse(f"{where}, median_s", found.median_s, "more than no time")
    if found.num_heads % found.num_kv_heads:
        _refuse(f"{where}, num_kv_heads", found.num_kv_heads, f"a divisor of {found.num_heads}")


def _require_distinct(rows: Iterable[Row]) -> None:
    seen: dict[tuple[Any, ...], int] = {}
    for n, row in enumerate(rows, start=1):
        first = seen.setdefault(_identity(row), n)
        if first != n:
            raise ValueError(f"row {n} measures what row {first} did")


def _identity(row: Row) -> tuple[Any, ...]:
    """What was measured, without what came out."""
    return tuple(asdict(replace(row, median_s=0.0, error=0.0)).values())


def _refuse(where: str, value: object, expected: str) -> NoReturn:
    raise ValueError(f"{where} is {shown(repr(value))}, not {expected}")
