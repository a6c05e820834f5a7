"""What the color names look like, and backgrounds they stand out from.

Hues leave gaps between neighbours, so that no shade could be called by two names.
"""

from __future__ import annotations

import colorsys
import math
from random import Random
from typing import TypeAlias

# 0..1 each
RGB: TypeAlias = tuple[float, float, float]

# hue in degrees, saturation, value
_RANGES = {
    "red": ((-8, 7), (0.75, 1.0), (0.62, 1.0)),
    "orange": ((24, 39), (0.85, 1.0), (0.88, 1.0)),
    "yellow": ((51, 62), (0.7, 1.0), (0.85, 1.0)),
    "green": ((95, 152), (0.55, 1.0), (0.42, 1.0)),
    "blue": ((207, 246), (0.65, 1.0), (0.55, 1.0)),
    "purple": ((272, 306), (0.5, 1.0), (0.45, 0.95)),
    "black": ((0, 360), (0.0, 0.4), (0.0, 0.13)),
    "white": ((0, 360), (0.0, 0.04), (0.92, 1.0)),
}
# the plain shade a person would type
_PURE: dict[str, RGB] = {
    "red": (1.0, 0.0, 0.0),
    "orange": (1.0, 0.6, 0.0),
    "yellow": (1.0, 1.0, 0.0),
    "green": (0.0, 0.7, 0.0),
    "blue": (0.0, 0.0, 1.0),
    "purple": (0.5, 0.0, 0.5),
    "black": (0.0, 0.0, 0.0),
    "white": (1.0, 1.0, 1.0),
}
_CONTRAST = 0.48


def shade(color: str, lots: Random) -> RGB:
    """A shade that everyone would call ``color``."""
    if lots.random() < 0.2:
        return _PURE[color]
    hue, saturation, value = (lots.uniform(*bounds) for bounds in _RANGES[color])
    return colorsys.hsv_to_rgb(hue / 360 % 1.0, saturation, value)


def backdrop(shades: list[RGB], lots: Random) -> RGB:
    """A background shade that stands out from all of ``shades``."""
    best, best_distance = (0.5, 0.5, 0.5), -1.0
    for _ in range(12):
        candidate = _any_backdrop(lots)
        distance = min((math.dist(candidate, other) for other in shades), default=2.0)
        if distance >= _CONTRAST:
            return candidate
        if distance > best_distance:
            best, best_distance = candidate, distance
    return best


def _any_backdrop(lots: Random) -> RGB:
    draw = lots.random()
    if draw < 0.25:
        return (1.0, 1.0, 1.0)
    if draw < 0.35:
        return (0.0, 0.0, 0.0)
    if draw < 0.65:
        grey = lots.uniform(0.05, 0.95)
        return (grey, grey, grey)
    if draw < 0.85:
        # pastel, or as dark
        return colorsys.hsv_to_rgb(lots.random(), lots.uniform(0.05, 0.35), lots.uniform(0.2, 1.0))
    return colorsys.hsv_to_rgb(lots.random(), lots.uniform(0.3, 1.0), lots.uniform(0.15, 0.9))
