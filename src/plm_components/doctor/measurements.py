"""What was measured on this machine's hardware, and which parts no test has run on it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from plm_components.doctor.finding import Finding
from plm_components.doctor.parts import first_of, obstacle
from plm_components.doctor.probes import Probe

if TYPE_CHECKING:
    from plm_components.zoo import Entry

_MEASURE = "plm bench SPEC --tune FILE, then attention: {type: auto, table: FILE}"


def measurements(parts: Iterable[Entry], torch: Probe) -> Iterator[Finding]:
    """Which shipped tables are of this hardware, and which parts none of them has on it.

    Args:
        parts: Of the zoo.
        torch: How importing torch went; where it failed, nobody knows the devices.
    """
    # here, not above: the doctor runs where the package is half installed
    from plm_components.errors import MeasurementError

    devices = _devices(torch)
    try:
        yield _tables(devices)
        if torch.state == "ok":
            yield from _untested(parts, torch, devices)
    except MeasurementError as error:
        fix = "pip install --force-reinstall plm-components"
        yield Finding("measured", "broken", f"{error.where}: {error.what}", fix, error=str(error))


def _tables(devices: frozenset[tuple[str, str]]) -> Finding:
    from plm_components.measured import every_table

    machines = [table.machine for table in every_table()]
    here = [str(one) for one in machines if (one.device, one.name) in devices]
    if here:
        return Finding("measured", "ok", f"attention: auto has times of {first_of(here)}")
    names = ", ".join(sorted(name for _, name in devices))
    return Finding("measured", "absent", f"no table that ships is of {names}", _MEASURE)


def _untested(
    parts: Iterable[Entry], torch: Probe, devices: frozenset[tuple[str, str]]
) -> Iterator[Finding]:
    """One line for all parts whose device is here."""
    from plm_components.measured import was_tested
    from plm_components.zoo.requirements import unresolved_devices

    untested = [
        entry.address
        for entry in parts
        if unresolved_devices(entry.component.requires) is not None
        and obstacle(entry, torch) is None
        and not was_tested(entry.address, entry.provider.distribution, entry.edition, devices)
    ]
    if untested:
        detail = f"no test has run {'it' if len(untested) == 1 else 'them'} on this hardware"
        yield Finding(first_of(untested), "untested", detail, _MEASURE)


def _devices(torch: Probe) -> frozenset[tuple[str, str]]:
    from plm_components.measured import devices_here

    listed = torch.facts.get("devices", ()) if torch.state == "ok" else ()
    return devices_here() | {("cuda", device["name"]) for device in listed}
