"""``plm plugins``: every installed plugin, what became of it and what to do."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from plm_components.cli.offered import offered_zoo
from plm_components.cli.output import print_json, print_table
from plm_components.doctor import Finding, examine_plugins
from plm_components.zoo import Plugin


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the actions and their arguments."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    for name, function, text in (
        ("list", _list, "each plugin, its state and its parts"),
        ("doctor", _doctor, "each plugin with what to do about it; 1 when something is broken"),
    ):
        action = actions.add_parser(name, help=text, description=f"{text}.")
        action.add_argument("--json", action="store_true", help="print one JSON document")
        action.set_defaults(do=function)


def run(args: argparse.Namespace) -> int:
    """Does what was asked for."""
    code: int = args.do(args)
    return code


def _list(args: argparse.Namespace) -> int:
    plugins = offered_zoo(args.plugin).plugins
    if args.json:
        print_json([describe(plugin) for plugin in plugins])
    elif plugins:
        rows = [(one.name, one.state, str(one.provider), _about(one)) for one in plugins]
        print_table(("plugin", "state", "provider", "parts, or why none"), rows)
    else:
        print("no plugin is installed")
    return 0


def describe(plugin: Plugin) -> dict[str, Any]:
    """One plugin, for a program."""
    return {
        "plugin": plugin.name,
        "provider": plugin.provider.distribution,
        "version": plugin.provider.version,
        "place": plugin.place,
        "state": plugin.state,
        "reason": plugin.reason,
        "notes": list(plugin.notes),
        "parts": [entry.address for entry in plugin.entries],
        "specs": [spec.name for spec in plugin.specs],
        "traceback": plugin.traceback,
    }


def _about(plugin: Plugin) -> str:
    specs = (f"spec {spec.name}" for spec in plugin.specs)
    parts = ", ".join([*(entry.address for entry in plugin.entries), *specs])
    return "; ".join([text for text in (plugin.reason or parts, *plugin.notes) if text])


def _doctor(args: argparse.Namespace) -> int:
    findings = examine_plugins(offered_zoo(args.plugin))
    ok = all(found.state != "broken" for found in findings)
    if args.json:
        print_json({"ok": ok, "findings": [asdict(found) for found in findings]})
    else:
        _print(findings)
    return 0 if ok else 1


def _print(findings: Sequence[Finding]) -> None:
    if findings:
        rows = [(found.topic, found.state, found.detail) for found in findings]
        print_table(("", "state", "detail"), rows)
    else:
        print("no plugin is installed")
    for found in findings:
        if found.fix:
            print(f"\n{found.topic}: {found.fix}")
        if found.error:
            print(found.error.rstrip())
