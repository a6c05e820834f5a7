"""Tables for people and JSON for programs; rich is imported only when a person is looking."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from typing import TextIO

# words a table colours when it is drawn on a terminal
_COLOURS = {
    "ok": "green",
    "available": "green",
    "loaded": "green",
    "right": "green",
    "absent": "yellow",
    "untested": "yellow",
    "untested here": "yellow",
    "unavailable": "yellow",
    "incompatible": "yellow",
    "blocked": "yellow",
    "note": "cyan",
    "broken": "bold red",
    "wrong": "bold red",
    "quarantined": "bold red",
    "shadowed": "bold red",
}

# stdout as it was, while a command keeps it for its document
_kept: list[TextIO] = []


@contextmanager
def stdout_kept() -> Iterator[None]:
    """Keeps stdout for one JSON document: whatever parts and plugins print goes to stderr.

    Also what they write past Python, from compiled code or from processes they start.
    """
    before = sys.stdout
    own = _own_descriptor(before)
    _kept.append(before if own is None else own)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        kept = _kept.pop()
        if own is not None:
            os.dup2(kept.fileno(), 1)
            kept.close()


def _own_descriptor(stream: TextIO) -> TextIO | None:
    """Another stream to where stdout leads, stdout itself turned to stderr; None under a test."""
    try:
        if stream.fileno() != 1:
            return None
        stream.flush()
        copy = os.fdopen(os.dup(1), "w", encoding=stream.encoding, errors=stream.errors)
        os.dup2(2, 1)
    except (OSError, ValueError):  # no file behind it, or no stderr
        return None
    return copy


def print_json(value: object) -> None:
    """One JSON document, keys in the order given."""
    document = _kept[-1] if _kept else sys.stdout
    print(json.dumps(value, indent=2, ensure_ascii=False), file=document, flush=True)


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
