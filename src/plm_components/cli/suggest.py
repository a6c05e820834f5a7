"""The nearest word that would have been right.

The zoo has its own; this one is needed where the zoo itself cannot be imported (``plm doctor``).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def near(word: str, known: Iterable[str]) -> str | None:
    """The known word most like ``word``, or None where none is like it."""
    found = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return found[0] if found else None
