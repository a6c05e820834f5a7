"""In what order a message's media and texts are said."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

from plm_components.contracts.text import MediaLayout
from plm_components.errors import UnsupportedError
from plm_components.model.messages import ImagePart, Part, VideoPart


def arranged(parts: Sequence[Part], layout: MediaLayout) -> list[tuple[int, Part]]:
    """A message's parts in the order they are said, each with its place in the message.

    Args:
        parts: As the message has them.
        layout: ``reference`` leaves them where they stand; ``hf`` is the published chat template:
            images, then videos, then the texts, white space around each of them taken off.
    """
    placed = list(enumerate(parts))
    if layout == "reference":
        return placed
    images = [(n, part) for n, part in placed if isinstance(part, ImagePart)]
    videos = [(n, part) for n, part in placed if isinstance(part, VideoPart)]
    texts = [(n, part.strip()) for n, part in placed if isinstance(part, str)]
    return [*images, *videos, *texts]


def refuse_unknown_layout(layout: object) -> None:
    """Raises UnsupportedError unless it is a layout."""
    known = get_args(MediaLayout)
    if layout not in known:
        raise UnsupportedError(
            f"The layout {layout!r} is unknown.",
            where="Processor, argument layout",
            expected=f"one of: {', '.join(known)}",
            fix="leave layout out for PerceptionLM's own, or say hf for that of transformers",
        )
