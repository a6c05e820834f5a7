"""A file of measurements as the report sees it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plm_components.bench.files import read
from plm_components.bench.hardware import Hardware
from plm_components.bench.record import Record


@dataclass(frozen=True)
class Run:
    """One file.

    Args:
        name: Of the file.
        when: Date and time, ISO 8601.
        commit: Short id of the measured commit, empty where it is not known.
        hardware: Name of the hardware, as charts are headed.
        slug: The same in a file name; what has another is never drawn beside it.
        facts: What else is known of machine and software, to be listed.
        records: Everything that was measured or refused.
    """

    name: str
    when: str
    commit: str
    hardware: str
    slug: str
    facts: Mapping[str, Any]
    records: tuple[Record, ...]


def read_run(path: Path) -> Run:
    """A file as ``bench.files`` writes it.

    Raises:
        MeasurementError: it cannot be read, or holds nothing of ours.
    """
    found = read(path)
    where = found.hardware
    return Run(
        name=path.name,
        when=found.datetime,
        commit=_commit(found.commit),
        # of a machine that is not named nobody knows whether it is another's equal
        hardware=f"a machine that {path.name} does not name" if where is None else _name(where),
        slug=path.stem if where is None else where.slug,
        facts={} if where is None else _facts(where),
        records=found.records,
    )


def _name(where: Hardware) -> str:
    if where.device != "cpu":
        return where.name
    return f"{where.name}, {where.threads} thread{'s' if where.threads > 1 else ''}"


def _facts(where: Hardware) -> dict[str, object]:
    facts = {
        "torch": where.torch,
        "CUDA": where.cuda,
        "driver": where.driver,
        "threads": where.threads,
        "cores": where.cores,
        "last cache": f"{where.cache_bytes / 2**20:.4g} MiB",
        "memory": None if where.memory_bytes is None else f"{where.memory_bytes / 2**30:.1f} GiB",
        "Python": where.python,
        "system": where.system,
    }
    return {name: fact for name, fact in facts.items() if fact is not None}


def _commit(info: Mapping[str, Any]) -> str:
    short = str(info.get("id") or "")[:10]
    return f"{short}, with changes" if short and info.get("dirty") else short
