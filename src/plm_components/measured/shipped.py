"""The tables that this package brings along, measured where its authors had such hardware."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from plm_components.measured.files import read_table
from plm_components.measured.table import Machine, Table

_FOLDER = Path(__file__).parent


def shipped(machine: Machine) -> tuple[Table, ...]:
    """The shipped tables of exactly this hardware.

    Args:
        machine: Its name must match to the letter; see ``Machine.is_same_hardware``.

    Raises:
        MeasurementError: a shipped table is damaged.
    """
    return tuple(table for table in every_table() if table.machine.is_same_hardware(machine))


@cache
def every_table() -> tuple[Table, ...]:
    """All shipped tables, in order of their files' names; read once a process."""
    return tuple(read_table(path) for path in sorted(_FOLDER.glob("*.json")))
