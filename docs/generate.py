"""Writes what is generated in the pages: ``make docs``.

``docs/components.md`` lists every part of ours with its options; ``docs/contracts.md`` every
contract with the checks of the conformance kit; ``docs/measurements.md`` tells what the files in
``benchmarks/results`` hold; ``docs/plm-tiny.md`` and a block of the README give plm-tiny's figures,
as ``make figures`` measured them. A test compares the pages with what this file would write.
"""

from __future__ import annotations

import inspect
import json
import re
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from contracts_page import contracts_page
from measured_page import measurements_page

from plm_components.spec import Option, Slot, signature_of
from plm_components.zoo import KINDS, Entry, Kind, list_components

HERE = Path(__file__).parent
README = HERE.parent / "README.md"
_BLOCK = re.compile(r"(?<=<!-- figures -->\n).*?(?=<!-- /figures -->)", re.S)

COMPONENTS_HEAD = """\
# Components

Every part that ships, by kind. Written by `make docs` from the constructors: do not edit.
A row is an option of the spec with its type and default, or a slot for a nested part.
`plm show ADDRESS` prints the same with shapes, errors and sources.
"""


def components_page() -> str:
    """The whole page."""
    kinds = (_kind_section(kind) for kind in KINDS.values())
    return "\n".join([COMPONENTS_HEAD, *kinds])


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


TINY_HEAD = """\
# plm-tiny, measured

Exact match, letter for letter, on held-out scenes: pictures as PNG, JPEG and WebP files, clips as
mp4, every question asked alone. *Best constant* is what the single best answer to that type of
question would score; *another scene* asks the same questions over another scene's file. Measured by
`make figures`, written by `make docs`: do not edit.
"""


def tiny_page(figures: dict[str, Any]) -> str:
    """Figures by type of question."""
    where = (
        f"Weights {figures['weights_sha256'][:12]}; {figures['scenes']:,} scenes of each kind.\n"
    )
    sections = [_tiny_section(medium, figures[medium]) for medium in ("image", "video")]
    return "\n".join([TINY_HEAD, where, *sections])


def _tiny_section(medium: str, scores: dict[str, dict[str, float]]) -> str:
    head = "| type | questions | plm-tiny | best constant | another scene |\n|---|--:|--:|--:|--:|"
    rows = [_score_row(name, one) for name, one in scores.items()]
    return "\n".join([f"## {medium.title()}s\n", head, *rows, ""])


def _score_row(name: str, one: dict[str, float]) -> str:
    shares = (f"{100 * one[key]:.1f} %" for key in ("exact", "constant", "shuffled"))
    return f"| {name} | {one['count']:,} | {' | '.join(shares)} |"


def readme_with(figures: dict[str, Any], text: str) -> str:
    """The README with its block of figures written anew."""
    return _BLOCK.sub(lambda _: _readme_block(figures), text)


def _readme_block(figures: dict[str, Any]) -> str:
    head = (
        "| | questions | plm-tiny | best constant answer | shown another scene |\n"
        "|---|--:|--:|--:|--:|"
    )
    rows = [_score_row(f"{kind}s", figures[kind]["all"]) for kind in ("image", "video")]
    share, name, kind = min(
        (one["exact"], name, kind)
        for kind in ("image", "video")
        for name, one in figures[kind].items()
    )
    told = f"The weakest type of question is `{name}` of {kind}s: {100 * share:.1f} %."
    return "\n".join([head, *rows, "", told, ""])


def main() -> None:
    """Writes every page."""
    (HERE / "components.md").write_text(components_page(), encoding="utf-8")
    (HERE / "contracts.md").write_text(contracts_page(), encoding="utf-8")
    (HERE / "measurements.md").write_text(measurements_page(), encoding="utf-8")
    if not (HERE / "plm-tiny.json").exists():
        sys.exit("the pages of the code are written; plm-tiny has no figures yet: make figures")
    figures = json.loads((HERE / "plm-tiny.json").read_text(encoding="utf-8"))
    (HERE / "plm-tiny.md").write_text(tiny_page(figures), encoding="utf-8")
    README.write_text(readme_with(figures, README.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
