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
    return _show_spec(args.what, args.overrides, zoo, as_json=args.json)


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
    ]
    lines = [f"  {label:<9} {text}".rstrip() for label, text in facts if text]
    return "\n".join([declared["address"], *lines, "", declared["doc"]]).rstrip()


def _headed(label: str, lines: Sequence[str]) -> list[tuple[str, str]]:
    return [(label if index == 0 else "", line) for index, line in enumerate(lines)]


def _slot_text(name: str, slot: dict[str, Any]) -> str:
    default = f" = {slot['default']}" if slot["default"] else ""
    return f"{name}: {slot['kind']}{' of each layer' if slot['repeated'] else ''}{default}"


def _show_spec(source: str, overrides: Sequence[str], zoo: Zoo, *, as_json: bool) -> int:
    from plm_components.spec import dump_yaml, load_spec, resolve

    data = filled(resolve(load_spec(source, overrides, zoo=zoo), zoo), zoo)
    if as_json:
        print_json(data)
    else:
        print(dump_yaml(data), end="")
    return 0


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
