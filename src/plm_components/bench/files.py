"""Measurements on the disk: pytest-benchmark's own layout, and the whole record inside.

``pytest-benchmark compare`` reads such a file. What got no time has no place there, and lies under
a key of its own.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from plm_components.atomic import atomic_file
from plm_components.bench.commit import commit_info
from plm_components.bench.hardware import Hardware, slug
from plm_components.bench.measure import MODES
from plm_components.bench.plain_data import record_of, record_to_plain, strictly
from plm_components.bench.record import SCHEMA, Record
from plm_components.bench.spread import stats
from plm_components.errors import MeasurementError
from plm_components.untrusted import read_json, reason, shown

# where we keep what pytest-benchmark does not know
KEY = "plm_bench"
_MAX_BYTES = 256 << 20
# the format that pytest-benchmark has had since its version 3
_LAYOUT = "5.3.1"


@dataclass(frozen=True)
class Measurements:
    """A file of them.

    Args:
        records: What was measured, and what was refused or wrong.
        hardware: Where; None where the file does not say.
        datetime: When, ISO 8601 with its offset.
        commit: Of what, under the keys of pytest-benchmark: ``id``, ``time``, ``dirty``, ….
    """

    records: tuple[Record, ...]
    hardware: Hardware | None
    datetime: str
    commit: Mapping[str, Any] = field(default_factory=dict)


def write(path: Path, records: Sequence[Record], hardware: Hardware) -> None:
    """Writes a file; what was there is replaced when all of it is on the disk.

    Args:
        path: Where; its directory exists.
        records: What to keep.
        hardware: Where they were measured.

    Raises:
        MeasurementError: the file cannot be written.
    """
    data = {
        "machine_info": {**machine_info(), KEY: asdict(hardware)},
        "commit_info": commit_info(),
        "benchmarks": [_benchmark(record) for record in records if record.rounds_s],
        "datetime": datetime.now(UTC).isoformat(),
        "version": _LAYOUT,
        KEY: _untimed(records),
    }
    try:
        with atomic_file(path, overwrite=True) as staging:
            staging.write_text(json.dumps(data, indent=1, allow_nan=False), encoding="utf-8")
    except (OSError, ValueError) as error:
        raise MeasurementError(
            f"The measurements cannot be written: {reason(error)}.",
            where=str(path),
            expected="a file in a directory that exists",
            fix="name another file",
        ) from error


def read(path: Path) -> Measurements:
    """The measurements in a file: one of ours, or one that pytest-benchmark wrote of our fixture.

    Args:
        path: It may be anybody's.

    Raises:
        MeasurementError: it cannot be read, or holds nothing of ours.
    """
    try:
        return _measurements(read_json(path, _MAX_BYTES))
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        lacking = isinstance(error, KeyError)
        raise MeasurementError(
            f"The measurements cannot be read: {'it lacks ' if lacking else ''}{reason(error)}.",
            where=str(path),
            expected=f"a JSON file of plm bench, or of pytest-benchmark with {KEY} in extra_info",
            fix="measure again: plm bench SPEC --out FILE writes such a file",
        ) from error


def label(record: Record) -> str:
    """What the contenders of one comparison have in common: operation, sizes, dtype, mode."""
    sizes = ",".join(f"{name}={size}" for name, size in record.sizes.items())
    way = "forward+backward" if record.backward else "forward"
    return f"{record.operation}[{sizes}] {record.dtype} {way} {record.device} {record.mode}"


def machine_info() -> dict[str, Any]:
    """The processor's side, under pytest-benchmark's keys; no name of a host."""
    return {
        "machine": platform.machine(),
        "processor": platform.processor(),
        "python_implementation": platform.python_implementation(),
        "python_version": platform.python_version(),
        "release": platform.release(),
        "system": platform.system(),
    }


def add_to(
    data: dict[str, Any], timed: Sequence[tuple[str, Record]], records: Sequence[Record]
) -> None:
    """Adds records to a document that pytest-benchmark is about to write.

    Args:
        data: The document.
        timed: Records that are none of its benchmarks yet, each with the test it is from.
        records: Of which those without a time are added.
    """
    data["benchmarks"] += [_benchmark(record, test) for test, record in timed]
    data[KEY] = _untimed(records)


def _untimed(records: Sequence[Record]) -> dict[str, Any]:
    without = [record_to_plain(record) for record in records if not record.rounds_s]
    return {"schema": SCHEMA, "untimed": without}


def _benchmark(record: Record, where: str = "plm-bench") -> dict[str, Any]:
    name = f"{record.part} {label(record)}"
    return {
        "group": label(record),
        "name": name,
        "fullname": f"{where}::{name}",
        "params": None,
        "param": None,
        "extra_info": {KEY: record_to_plain(record)},
        "options": {"timer": "cuda events" if record.device == "cuda" else "perf_counter"},
        "stats": stats(record.rounds_s),
    }


def _measurements(data: Any) -> Measurements:
    ours = [bench["extra_info"].get(KEY) for bench in data["benchmarks"]]
    own = data.get(KEY, {})
    if own.get("schema", SCHEMA) != SCHEMA:
        raise ValueError(f"it is of schema {shown(own['schema'])}, {SCHEMA} is known")
    untimed = own.get("untimed", [])
    plain = [*(one for one in ours if one is not None), *untimed]
    if ours and not plain:
        raise ValueError("its benchmarks are not of this package")
    records = tuple(record_of(one) for one in plain)
    return Measurements(
        records,
        _hardware(data["machine_info"].get(KEY), {record.device for record in records}),
        datetime.fromisoformat(data["datetime"]).isoformat(),
        dict(data["commit_info"]),
    )


def _hardware(plain: Any, measured: set[str]) -> Hardware | None:
    """The machine that a file names, which is the one that its records are of."""
    if plain is None:
        return None
    found = strictly(Hardware, plain)
    if slug(found.slug) != found.slug or not found.slug:
        raise ValueError(f"its slug is {shown(repr(found.slug))}")
    if found.device not in MODES:
        raise ValueError(f"nothing is timed on a {shown(found.device)}")
    if measured - {found.device}:
        told = ", ".join(sorted(measured))
        raise ValueError(f"its records are of {told}, and it names a {shown(found.device)}")
    return found
