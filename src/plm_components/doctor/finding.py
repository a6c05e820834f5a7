"""One line of the doctor's screen."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One thing examined.

    Args:
        topic: What was examined.
        state: ``ok``, ``absent``, ``untested`` or ``broken``.
        detail: What was found, in a line.
        fix: What to type; empty when there is nothing to do.
        needed: Whether the main job needs it.
        error: The whole error text, for ``--json``.
    """

    topic: str
    state: str
    detail: str
    fix: str = ""
    needed: bool = False
    error: str = ""
