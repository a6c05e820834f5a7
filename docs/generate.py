"""Writes the pages that are generated from the code: ``make docs``.

``docs/components.md`` lists every part of ours with its options. A test compares the page with what
this file would write.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from plm_components.spec import Option, Slot, signature_of
from plm_components.zoo import KINDS, Entry, Kind, list_components

PAGE = Path(__file__).with_name("components.md")
HEAD = """\
# Components

Every part that ships, by kind. Written by `make docs` from the constructors: do not edit.
A row is an option of the spec with its type and default, or a slot for a nested part.
`plm show ADDRESS` prints the same with shapes, errors and sources.
"""


def components_page() -> str:
    """The whole page."""
    kinds = (_kind_section(kind) for kind in KINDS.values())
    return "\n".join([HEAD, *kinds])


def _kind_section(kind: Kind) -> str:
    wired = ", ".join(f"`{name}`" for name in kind.wired) or "nothing"
    head = (
        f"## {kind.name}\n\n{_sentence(kind.summary)} Contract {kind.contract}; wired: {wired}.\n"
    )
    ours = [entry for entry in list_components(kind.name) if _is_ours(entry)]
    return "\n".join([head, *(_part_section(entry) for entry in ours)])


def _is_ours(entry: Entry) -> bool:
    return entry.provider.distribution == "plm-components"


def _part_section(entry: Entry) -> str:
    # by its target, not by load(): the page is the same where a requirement is missing
    module, _, name = entry.component.target.partition(":")
    cls = getattr(import_module(module), name)
    signature = signature_of(cls, entry.kind)
    told = _arguments(cls)
    lines = [f"### `{entry.address}`\n", f"{_sentence(entry.component.summary)}\n"]
    if entry.component.requires:
        lines.append(f"Needs {', '.join(f'`{one}`' for one in entry.component.requires)}.\n")
    rows = [_option_row(one, told) for one in signature.options.values()]
    rows += [_slot_row(one, told) for one in signature.slots.values()]
    if rows:
        lines.append("| option | |\n|---|---|\n" + "\n".join(rows) + "\n")
    return "\n".join(lines)


def _option_row(option: Option, told: dict[str, str]) -> str:
    return f"| {_code(str(option))} | {_cell(told.get(option.name, ''))} |"


def _slot_row(slot: Slot, told: dict[str, str]) -> str:
    default = f" = {slot.default}" if slot.default else ""
    kind = f"{slot.kind} of each layer" if slot.repeated else slot.kind
    return f"| part {_code(f'{slot.name}: {kind}{default}')} | {_cell(told.get(slot.name, ''))} |"


def _arguments(cls: type[Any]) -> dict[str, str]:
    """What the docstring's ``Args:`` says of each."""
    section = re.search(r"^Args:\n((?:    .*\n?|\n)*)", inspect.getdoc(cls) or "", re.M)
    return dict(_entries(section.group(1))) if section else {}


def _entries(section: str) -> Iterator[tuple[str, str]]:
    for found in re.finditer(r"^    (\w+): ((?:.+\n?)(?:     +.+\n?)*)", section, re.M):
        yield found.group(1), " ".join(found.group(2).split())


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _code(text: str) -> str:
    return f"`{text}`".replace("|", "\\|")


def _cell(text: str) -> str:
    return text.replace("``", "`").replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(components_page(), encoding="utf-8")
    print(f"wrote {PAGE}")
