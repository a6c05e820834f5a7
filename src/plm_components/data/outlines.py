"""Signed distances to the six shapes: one geometry for every resolution and aspect.

Coordinates are in units of the thing's radius, y downwards; negative is inside. ``style`` in 0..1
varies a shape within its name (the arm of a cross, the band of a ring, the points of a star).
"""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Field: TypeAlias = NDArray[np.float32]

# the farthest any outline reaches from its centre, in radii
REACH = 1.55


def distance(shape: str, x: Field, y: Field, style: float) -> Field:
    """Signed distance, in radii, from each point to the outline of ``shape``."""
    return _FIELDS[shape](x, y, style)


def _circle(x: Field, y: Field, style: float) -> Field:
    return np.hypot(x, y) - np.float32(1.0)


def _square(x: Field, y: Field, style: float) -> Field:
    return np.maximum(np.abs(x), np.abs(y)) - np.float32(0.88)


def _triangle(x: Field, y: Field, style: float) -> Field:
    # from slim to broad; 0.4 is equilateral
    x = x * np.float32(1.2 - 0.5 * style)
    slant = np.abs(x) * np.float32(math.cos(math.pi / 6)) - y * np.float32(0.5)
    return np.maximum(slant, y) - np.float32(0.66)


def _cross(x: Field, y: Field, style: float) -> Field:
    arm, half = np.float32(1.15), np.float32(0.26 + 0.18 * style)
    ax, ay = np.abs(x), np.abs(y)
    return np.minimum(np.maximum(ax - arm, ay - half), np.maximum(ax - half, ay - arm))


def _star(x: Field, y: Field, style: float) -> Field:
    outer, inner = 1.4, 1.4 * (0.36 + 0.12 * style)
    sector = 2 * math.pi / 5
    angle = np.arctan2(x, -y)
    folded = np.abs((angle + sector / 2) % sector - sector / 2)
    radius = np.hypot(x, y)
    # the edge from the tip (outer, 0) to the notch
    notch_x, notch_y = inner * math.cos(sector / 2), inner * math.sin(sector / 2)
    edge_x, edge_y = notch_x - outer, notch_y
    length = math.hypot(edge_x, edge_y)
    along, across = radius * np.cos(folded), radius * np.sin(folded)
    normal_x, normal_y = edge_y / length, -edge_x / length
    out: Field = ((along - outer) * normal_x + across * normal_y).astype(np.float32)
    return out


def _ring(x: Field, y: Field, style: float) -> Field:
    band = 0.11 + 0.17 * style
    return np.abs(np.hypot(x, y) - np.float32(1.1 - band)) - np.float32(band)


_FIELDS = {
    "circle": _circle,
    "square": _square,
    "triangle": _triangle,
    "cross": _cross,
    "star": _star,
    "ring": _ring,
}
