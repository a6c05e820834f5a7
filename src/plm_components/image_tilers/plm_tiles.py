"""PerceptionLM's thumbnail and canvas of tiles."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache

import torch
from PIL import Image
from torch import Tensor

from plm_components.contracts.media import TilePlan
from plm_components.errors import SpecError
from plm_components.image_tilers.resize import Resizer, stretch


class PLMTilesTiler:
    """A thumbnail, and the image stretched over a canvas of up to ``max_tiles`` tiles.

    Unusual: nothing is ever padded and no aspect ratio kept; the canvas is the one on which the
    image would be *largest*, so small images take the most tiles and very large ones few.

    Args:
        tile_size: Side of a tile in pixels.
        max_tiles: The most tiles of the canvas; the thumbnail comes on top.
        thumbnail: Put the whole image, stretched to one tile, in front.
        resize: ``pil``, as the published models saw images; or ``torchvision``, for the very
            pixels of transformers' image processor.

    Shapes:
        PIL RGB -> uint8 ``(T, 3, S, S)``, the thumbnail first, then the canvas row by row.

    Raises:
        SpecError: ``max_tiles`` below 1.

    Source:
        PerceptionLM's ``thumb+tile`` input, arXiv 2504.13180: PIL bicubic.
    """

    def __init__(
        self,
        tile_size: int,
        *,
        max_tiles: int = 36,
        thumbnail: bool = True,
        resize: Resizer = "pil",
    ) -> None:
        if max_tiles < 1:
            raise SpecError(
                f"max_tiles={max_tiles} leaves no tile.",
                where="image_tiler/plm_tiles, option max_tiles",
                expected="1 or more; the published models use 36",
                fix="set image_tiler.max_tiles=36",
            )
        self.tile_size = tile_size
        self.max_tiles = max_tiles
        self.thumbnail = thumbnail
        self.resize = resize

    def plan(self, width: int, height: int) -> TilePlan:
        """The canvas an image of this size gets."""
        columns, rows = choose_canvas(width, height, self.tile_size, self.max_tiles)
        return TilePlan(columns * rows + self.thumbnail, columns, rows, self.thumbnail)

    def max_tiles_per_image(self) -> int:
        """``max_tiles`` and the thumbnail."""
        return self.max_tiles + self.thumbnail

    def __call__(self, image: Image.Image) -> Tensor:
        """PIL RGB -> uint8 ``(T, 3, S, S)``."""
        size = self.tile_size
        plan = self.plan(image.width, image.height)
        canvas_3HW = stretch(image, plan.columns * size, plan.rows * size, self.resize)
        split = canvas_3HW.reshape(3, plan.rows, size, plan.columns, size)
        tiles_T3SS = split.permute(1, 3, 0, 2, 4).reshape(-1, 3, size, size)
        if not self.thumbnail:
            return tiles_T3SS
        return torch.cat([stretch(image, size, size, self.resize)[None], tiles_T3SS])


def choose_canvas(width: int, height: int, tile_size: int, max_tiles: int) -> tuple[int, int]:
    """Columns and rows of the canvas, by the published rule.

    Among the canvases that hold the image in both directions, the one on which the image, its
    aspect ratio kept, would be longest on its shorter side; where none does, the largest canvas
    of the nearest aspect ratio. Ties go to the later candidate.
    """
    best, best_score = None, 0.0
    for columns, rows in _candidates(max_tiles):
        canvas = (columns * tile_size, rows * tile_size)
        if canvas[0] >= width and canvas[1] >= height:
            score = _shorter_side(width, height, canvas)
            if score >= best_score:
                best, best_score = (columns, rows), score
    return best or _nearest_ratio(width / height, max_tiles)


def _shorter_side(width: int, height: int, canvas: tuple[int, int]) -> float:
    """Of the image, when it fills the canvas as far as its aspect ratio lets it."""
    ratio = width / height
    scale = min(canvas[0] / width, canvas[1] / height)
    # one side is floored and the other is not: as the published models saw it
    if ratio > 1:
        return math.floor(scale * width / ratio)
    if ratio < 1:
        return math.floor(scale * height * ratio)
    return scale * height


def _nearest_ratio(ratio: float, max_tiles: int) -> tuple[int, int]:
    """For images that no canvas holds."""
    groups = _groups(max_tiles)
    if ratio >= 1:
        nearest = max(k for k in groups if k <= ratio)
        return max(groups[nearest], key=lambda canvas: canvas[0])
    nearest = min((k for k in groups if k > ratio), key=lambda k: abs(1 / k - 1 / ratio))
    return max(groups[nearest], key=lambda canvas: canvas[1])


@lru_cache
def _groups(max_tiles: int) -> dict[float, list[tuple[int, int]]]:
    """Canvases by aspect ratio, both in the order that decides ties."""
    groups: dict[float, list[tuple[int, int]]] = {}
    for columns, rows in _factor_pairs(max_tiles):
        groups.setdefault(columns / rows, []).append((columns, rows))
    return groups


@lru_cache
def _candidates(max_tiles: int) -> tuple[tuple[int, int], ...]:
    return tuple(canvas for group in _groups(max_tiles).values() for canvas in group)


def _factor_pairs(max_tiles: int) -> Iterator[tuple[int, int]]:
    for area in range(max_tiles, 0, -1):
        for columns in range(1, area + 1):
            if area % columns == 0:
                yield columns, area // columns
