"""``plm show``: one part's options, or a spec with every default filled in."""

from __future__ import annotations

import argparse
import inspect
from collections.abc import Sequence
from enum import Enum
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from plm_components.cli.commands.list import describe
from plm_components.cli.offered import offered_zoo
from plm_components.cli.output import print_json
from plm_components.errors import UsageError
from plm_components.zoo import KINDS, Entry, Zoo

if TYPE_CHECKING:
    from plm_components.spec import Part, SpecTree


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.add_argument(
        "what", help="an address such as projector/linear, or a spec: a shipped name or a YAML file"
    )
    parser.add_argument(
        "overrides",
        nargs="*",
        default=[],
        metavar="KEY=VALUE",
        help="changes to a spec, e.g. projector.pool=4",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def run(args: argparse.Namespace) -> int:
    """Prints a part or a spec."""
    zoo = offered_zoo(args.plugin)
    kind, slash, name = args.what.partition("/")
    if slash and kind in KINDS:
        return _show_part(zoo.get(kind, name), args)
    return _show_spec(args, zoo)


def _show_part(entry: Entry, args: argparse.Namespace) -> int:
    if args.overrides:
        raise UsageError(
            "A part takes no overrides.",
            where="plm show",
            expected="overrides behind a spec only",
            fix=f"plm show {args.what}",
        )
    declared = declaration(entry)
    if args.json:
        print_json(declared)
    else:
        print(_part_text(declared))
    return 0


def declaration(entry: Entry) -> dict[str, Any]:
    """What a part's constructor declares; imports the part.

    Args:
        entry: Of the zoo.

    Raises:
        PluginError: the part cannot be imported.
        UnavailableError: a requirement of it is missing.
    """
    from plm_components.spec import signature_of

    cls = entry.load()
    signature = signature_of(cls, entry.kind)
    return {
        **describe(entry),
        "doc": inspect.getdoc(cls) or "",
        "wired": list(signature.wired),
        "options": {name: str(option) for name, option in signature.options.items()},
        "slots": {
            name: {"kind": slot.kind, "default": slot.default, "repeated": slot.repeated}
            for name, slot in signature.slots.items()
        },
        "candidates": dict(signature.candidates),
    }


def _part_text(declared: dict[str, Any]) -> str:
    facts = [
        ("from", f"{declared['provider']} {declared['version']}"),
        ("class", declared["target"]),
        ("contract", str(declared["contract"])),
        ("requires", ", ".join(declared["requires"])),
        ("wired", ", ".join(declared["wired"])),
        *_headed("options", list(declared["options"].values())),
        *_headed("parts", [_slot_text(*item) for item in declared["slots"].items()]),
        ("among", ", ".join(f"every other {kind}" for kind in declared["candidates"].values())),
    ]
    lines = [f"  {label:<9} {text}".rstrip() for label, text in facts if text]
    return "\n".join([declared["address"], *lines, "", declared["doc"]]).rstrip()


def _headed(label: str, lines: Sequence[str]) -> list[tuple[str, str]]:
    return [(label if index == 0 else "", line) for index, line in enumerate(lines)]


def _slot_text(name: str, slot: dict[str, Any]) -> str:
    default = f" = {slot['default']}" if slot["default"] else ""
    return f"{name}: {slot['kind']}{' of each layer' if slot['repeated'] else ''}{default}"


def _show_spec(args: argparse.Namespace, zoo: Zoo) -> int:
    from plm_components.spec import dump_yaml, load_spec, resolve

    tree = resolve(load_spec(args.what, args.overrides, zoo=zoo), zoo)
    data = filled(tree, zoo)
    if args.json:
        print_json(data)
    else:
        # comments, so that what is printed stays a spec
        print(dump_yaml(data), end="")
        print("".join(f"# {line}\n" for line in _choices(args, tree, zoo)), end="")
    return 0


def _choices(args: argparse.Namespace, tree: SpecTree, zoo: Zoo) -> list[str]:
    """What parts that choose among others take here; nothing is built where a spec has none."""
    from plm_components.assembly import check
    from plm_components.assembly.examination import all_parts

    if not any(part.candidates for part in all_parts(tree)):
        return []
    report = check(args.what, args.overrides, zoo=zoo)
    where = "on cpu in float32; plm check --device … --dtype … says it for others:"
    return [where, *map(str, report.choices), *(fault.what for fault in report.faults)]


def filled(tree: SpecTree, zoo: Zoo) -> dict[str, Any]:
    """A spec with the default of every option and nested part written out.

    Args:
        tree: What ``resolve`` returned.
        zoo: Where its parts were found; a name that means several there is written qualified.

    Returns:
        Plain data that ``load_spec`` reads; empty slots are None.
    """
    slots = {slot: part and _filled_part(part, zoo) for slot, part in tree.parts.items()}
    return {
        "plm": tree.data["plm"],
        **slots,
        "processor": tree.processor,
        "weights": tree.weights,
    }


def _filled_part(part: Part, zoo: Zoo) -> dict[str, Any]:
    reserved = {"weights": part.weights, "trainable": part.trainable}
    return {
        "type": zoo.spelling(part.entry),
        **{name: _plain(value) for name, value in part.options.items()},
        **{name: _filled_part(child, zoo) for name, child in part.children.items()},
        **{name: value for name, value in reserved.items() if value is not None},
    }


def _plain(value: Any) -> Any:
    """An option as YAML and JSON hold it."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Enum):
        return value.name
    return str(value) if isinstance(value, PurePath) else value
