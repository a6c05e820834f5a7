"""``plm list``: every registered part, its provider and whether it can be used."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from plm_components.cli.offered import offered_zoo
from plm_components.cli.output import print_json, print_table
from plm_components.errors import MeasurementError
from plm_components.spec import shipped_specs
from plm_components.zoo import KINDS, Entry, Zoo, list_components
from plm_components.zoo.requirements import unresolved_devices


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.add_argument("kind", nargs="?", help=f"only this kind: {', '.join(KINDS)}")
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def run(args: argparse.Namespace) -> int:
    """Prints the zoo."""
    zoo = offered_zoo(args.plugin)
    entries = list_components(args.kind, zoo=zoo)
    if args.json:
        print_json([describe(entry) for entry in entries])
    else:
        _print(entries, zoo)
        if args.kind is None:
            print(f"\nspecs: {', '.join(_specs(zoo))}  (plm show SPEC)")
    _warn(zoo)
    return 0


def describe(entry: Entry) -> dict[str, Any]:
    """One part, for a program."""
    component = entry.component
    return {
        "address": entry.address,
        "kind": entry.kind,
        "name": entry.name,
        "summary": component.summary,
        "contract": component.contract,
        "target": component.target,
        "provider": entry.provider.distribution,
        "version": entry.provider.version,
        "status": entry.status,
        "untested_here": is_untested(entry),
        "reason": entry.reason,
        "requires": list(component.requires),
    }


def is_untested(entry: Entry) -> bool:
    """Whether it asks for a device, and no table that ships has it on one of this machine.

    What needs no device of its own is tested wherever our tests run. torch is not asked.
    """
    if unresolved_devices(entry.component.requires) is None:
        return False
    # here, not above: most lists have nothing to look up
    from plm_components.measured import devices_here, was_tested

    made = entry.provider.distribution
    try:
        return not was_tested(entry.address, made, entry.edition, devices_here())
    except MeasurementError:  # a damaged table proves nothing; the doctor tells of it
        return True


def _specs(zoo: Zoo) -> list[str]:
    return [*shipped_specs(), *sorted(spec.qualified for spec in zoo.specs)]


def _print(entries: Sequence[Entry], zoo: Zoo) -> None:
    rows = [
        (
            entry.address,
            _state(entry),
            f"{entry.provider.distribution} {entry.provider.version}",
            _about(entry, zoo),
        )
        for entry in entries
    ]
    print_table(("part", "status", "provider", "what it is"), rows)


def _state(entry: Entry) -> str:
    # of what cannot be used it is no news that it was not tested
    untested = entry.status == "available" and is_untested(entry)
    return "untested here" if untested else entry.status


def _about(entry: Entry, zoo: Zoo) -> str:
    # why it cannot be used, or what it will ask for (needs cuda), behind what it is
    notes = [] if entry.reason is None else [entry.reason]
    if zoo.spelling(entry) != entry.name:
        notes.append(f"not alone of this name: type: {zoo.spelling(entry)}")
    return entry.component.summary + (f" ({'; '.join(notes)})" if notes else "")


def _warn(zoo: Zoo) -> None:
    for plugin in zoo.plugins:
        if plugin.aside in ("quarantined", "shadowed"):
            print(
                f"not loaded: {plugin.provider}: {plugin.reason} (plm plugins doctor says more)",
                file=sys.stderr,
            )
