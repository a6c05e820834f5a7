"""``plm plugins``: every installed plugin, whether it keeps its promises, and how to begin one."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from plm_components.cli.offered import offered_zoo
from plm_components.cli.output import print_json, print_table
from plm_components.doctor import Finding, examine_plugins
from plm_components.scaffold import new_distribution
from plm_components.zoo import KINDS, Plugin

if TYPE_CHECKING:
    from plm_components.testing.validation import PartReport, Validation


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
    _add_validate(actions)
    _add_new(actions)


def _add_validate(actions: Any) -> None:
    text = "the conformance kit over what is installed; 1 when a promise is broken"
    action = actions.add_parser("validate", help=text, description=f"{text}.")
    action.add_argument(
        "name", help="a distribution (plm-foo), a part file (./my_part.py), an address or a kind"
    )
    action.add_argument(
        "--device", default="cpu", help="where the checks run: cpu (the default), cuda, …"
    )
    action.add_argument("--json", action="store_true", help="print one JSON document")
    action.set_defaults(do=_validate)


def _add_new(actions: Any) -> None:
    text = "write a distribution with one part that works, to begin from"
    action = actions.add_parser("new", help=text, description=f"{text}.")
    action.add_argument("name", help="of the distribution, e.g. plm-gated-pool")
    action.add_argument("--kind", required=True, choices=tuple(KINDS), help="of its part")
    action.add_argument(
        "--into", default=".", metavar="FOLDER", help="where its folder goes (default: here)"
    )
    action.add_argument("--json", action="store_true", help="print one JSON document")
    action.set_defaults(do=_new)


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


def _validate(args: argparse.Namespace) -> int:
    from plm_components.testing.validation import validate

    validation = validate(args.name, zoo=offered_zoo(args.plugin), device=args.device)
    if args.json:
        print_json(validation.to_dict())
    else:
        _print_validation(validation)
    return 0 if validation.ok else 1


def _print_validation(validation: Validation) -> None:
    rows = [_row(part, validation.device) for part in validation.parts]
    print_table(("part", "state", "checked by", "holds", "broken", "not asked"), rows)
    for part in validation.parts:
        if part.reason:
            print(f"\n{part.entry.address} was not tried: {part.reason}")
        for result in part.failed:
            print(f"\n{part.entry.address} breaks {result.check} [{result.case}]: {result.promise}")
            # the whole of a traceback is in --json
            print(f"  {result.detail.splitlines()[0] if result.detail else 'no more is known'}")


def _row(part: PartReport, device: str) -> tuple[str, ...]:
    state = "right" if part.ok else "wrong" if part.results else "untried"
    counts = (str(part.count(outcome)) for outcome in ("passed", "failed", "skipped"))
    by = f"contract {part.contract}" + ("" if device == "cpu" else f" on {device}")
    return (part.entry.address, state, by, *counts)


def _new(args: argparse.Namespace) -> int:
    files = new_distribution(args.name, args.kind, into=args.into, zoo=offered_zoo(args.plugin))
    if args.json:
        print_json({"files": [str(path) for path in files]})
        return 0
    for path in sorted(files):
        print(path)
    print(f"\nnext: pip install -e '{files[0].parent}[test]', then pytest in that folder")
    return 0
