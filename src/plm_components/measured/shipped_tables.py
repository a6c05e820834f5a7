"""The tables that this package brings along, measured where its authors had such hardware."""

from __future__ import annotations

from collections.abc import Collection
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


def was_tested(
    part: str, provider: str, version: str, devices: Collection[tuple[str, str]]
) -> bool:
    """Whether a shipped table has a part on one of some devices.

    Args:
        part: Its address.
        provider: Distribution that it comes from.
        version: Of the distribution, and of others that the part needs.
        devices: Type and name of each, as ``devices_here`` gives them.

    Raises:
        MeasurementError: a shipped table is damaged.
    """
    return any(
        row.is_of(part, provider, version, is_shipped=True)
        for table in every_table()
        if (table.machine.device, table.machine.name) in devices
        for row in table.rows
    )


@cache
def every_table() -> tuple[Table, ...]:
    """All shipped tables, in order of their files' names; read once a process."""
    return tuple(read_table(path) for path in sorted(_FOLDER.glob("*.json")))
