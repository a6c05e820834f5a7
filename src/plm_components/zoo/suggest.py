"""Near misses: named in errors, never matched."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(word: object, known: Iterable[str]) -> str | None:
    """``did you mean pool?``, or None where nothing is near."""
    near = get_close_matches(str(word), list(known), n=2, cutoff=0.6)
    return f"did you mean {' or '.join(near)}?" if near else None
