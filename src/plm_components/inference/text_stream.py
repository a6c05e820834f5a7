"""Ids to pieces of text while they arrive, so that no piece is ever taken back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

# what a decoder puts where bytes are no whole character yet
_REPLACEMENT = "\ufffd"


def text_pieces(ids: Iterable[int], decode: Callable[[Sequence[int]], str]) -> Iterator[str]:
    """Pieces whose concatenation is ``decode`` of all the ids.

    Held back until the next id settles them: an incomplete character, and white space at the end,
    which tokenizers may swallow before a full stop.

    Args:
        ids: The answer, one id at a time.
        decode: All ids so far to text; every longer answer repeats what is settled.
    """
    so_far: list[int] = []
    said, text = "", ""
    for token in ids:
        so_far.append(token)
        text = decode(so_far)
        settled = text.rstrip(_REPLACEMENT).rstrip()
        if settled.startswith(said) and len(settled) > len(said):
            yield settled[len(said) :]
            said = settled
    if len(text) > len(said):
        yield text[len(said) :]
