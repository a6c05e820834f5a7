"""Boxes that an answer speaks of: ``[015, 041, 171, 145]``, in thousandths of the picture."""

from __future__ import annotations

import re
from dataclasses import dataclass

_CORNER = r"\s*([0-9]{3})\s*"
_BOX = re.compile(rf"\[{','.join([_CORNER] * 4)}\]")


@dataclass(frozen=True)
class SpokenBox:
    """A box within an answer.

    Args:
        text: As it was said.
        start: Where it begins in the answer, in characters.
        corners: ``x1, y1, x2, y2`` as shares of the width and the height, 0 to 0.999.
    """

    text: str
    start: int
    corners: tuple[float, float, float, float]

    @property
    def end(self) -> int:
        """Behind its last character."""
        return self.start + len(self.text)

    @property
    def is_reversed(self) -> bool:
        """Whether its second corner lies left of the first or above it: no box at all."""
        x1, y1, x2, y2 = self.corners
        return x1 > x2 or y1 > y2

    def pixels(self, width: int, height: int) -> tuple[int, int, int, int]:
        """Its corners in a picture of this size, both within it."""
        x1, y1, x2, y2 = self.corners
        return int(x1 * width), int(y1 * height), int(x2 * width), int(y2 * height)


def find_boxes(text: str) -> tuple[SpokenBox, ...]:
    """Every box in an answer, in order: four times three digits in square brackets.

    Source:
        PerceptionLM's grounding: the digits stand behind ``0.``.

    >>> find_boxes("It is at [015, 041, 171, 145].")[0].corners
    (0.015, 0.041, 0.171, 0.145)
    """
    return tuple(
        SpokenBox(found[0], found.start(), _corners(found)) for found in _BOX.finditer(text)
    )


def _corners(found: re.Match[str]) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = (int(digits) / 1000 for digits in found.groups())
    return x1, y1, x2, y2
