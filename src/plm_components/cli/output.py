"""Tables for people and JSON for programs; rich is imported only when a person is looking."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

# words a table colours when it is drawn on a terminal
_COLOURS = {
    "ok": "green",
    "available": "green",
    "right": "green",
    "absent": "yellow",
    "unavailable": "yellow",
    "note": "cyan",
    "broken": "bold red",
    "wrong": "bold red",
}


def print_json(value: object) -> None:
    """One JSON document, keys in the order given."""
    print(json.dumps(value, indent=2, ensure_ascii=False))


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Aligned columns; on a terminal coloured, and folded to its width."""
    if sys.stdout.isatty():
        _print_rich(header, rows)
    else:
        print(plain_table(header, rows))


def plain_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns two spaces apart, no trailing blanks.

    >>> print(plain_table(("part", "status"), [("projector/linear", "available")]))
    part              status
    projector/linear  available
    """
    cells = [list(header), *(list(row) for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    lines = ("  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) for row in cells)
    return "\n".join(line.rstrip() for line in lines)


def _print_rich(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for index, name in enumerate(header):
        table.add_column(name, overflow="fold", no_wrap=index == 0)
    for row in rows:
        # Text, not markup: a summary may hold square brackets
        table.add_row(*(Text(cell, style=_COLOURS.get(cell, "")) for cell in row))
    Console(highlight=False).print(table)
