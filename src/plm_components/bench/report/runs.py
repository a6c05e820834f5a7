"""A file of measurements as the report sees it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

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
