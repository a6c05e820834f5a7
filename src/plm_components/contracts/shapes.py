"""The legend of shape letters, and the grid of a tile.

Tensors carry their shape as a suffix (``tokens_BNC``). One legend for the whole package:

======  ==========================================================
letter  meaning
======  ==========================================================
B       rows of a batch; for vision parts, tiles or frames
T       tiles and frames of a whole batch, in order of appearance
F       frames of one video
N       vision tokens of a tile, ``h*w``, row-major
M       vision tokens of a tile after the projector
C       channels of a vision token
D       channels of a decoder embedding (``width``)
L       positions of a sequence (queries)
S       positions of keys and values; in ``(T, 3, S, S)`` the tile's side
H       query heads
G       key/value heads
h       channels of one head (``head_dim``); in ``(h, w)`` grid rows
V       vocabulary
======  ==========================================================
"""

from __future__ import annotations

from typing import NamedTuple


class Grid(NamedTuple):
    """Rows and columns of the token grid of one tile."""

    h: int
    w: int

    @property
    def num_tokens(self) -> int:
        """Tokens in the grid, ``h * w``."""
        return self.h * self.w

    def __str__(self) -> str:
        return f"{self.h}x{self.w}"
