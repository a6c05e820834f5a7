"""Who got no time on an operation, and why: a line a reason."""

from __future__ import annotations

from collections.abc import Sequence

from plm_components.bench.preparing import ANOTHER_FUNCTION
from plm_components.bench.record import Record


def refusal_lines(records: Sequence[Record]) -> list[str]:
    """Reasons, contenders with the same one on one line; what computes something else last.

    Args:
        records: Of one operation in one mode.
    """
    refused = [(one.part, one.refused) for one in records if one.refused is not None]
    others = [part for part, reason in refused if ANOTHER_FUNCTION in reason]
    parts_of: dict[str, list[str]] = {}
    for part, reason in refused:
        if part not in others:
            parts_of.setdefault(_without_name(part, reason), []).append(part)
    lines = [f"refused: {_told(reason, parts)}" for reason, parts in parts_of.items()]
    lines += [
        f"wrong: {one.part}: {one.verdict.fault}"
        for one in records
        if one.refused is None and one.verdict is not None and one.verdict.fault is not None
    ]
    if others:
        # they are of the operation's kind, which stands above them
        names = ", ".join(part.partition("/")[2] for part in others)
        lines.append(f"another function: {names}")
    return lines


def _without_name(part: str, reason: str) -> str:
    """What is said of a part: a sentence that begins with its name goes on with a space."""
    name = f"{part.partition(' ')[0]} "
    return f" {reason.removeprefix(name)}" if reason.startswith(name) else reason


def _told(reason: str, parts: Sequence[str]) -> str:
    names = ", ".join(parts)
    if not reason.startswith(" "):
        return f"{names}: {reason}"
    return f"{names}: each{reason}" if len(parts) > 1 else f"{names}{reason}"
