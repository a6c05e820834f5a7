"""The whole image in one tile, its shape kept, its edges going on."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from PIL import Image
from plm_components.contracts import TilePlan
from torch import Tensor
from torch.nn.functional import pad


class MyPart:
    """Shrinks the image until it fits, and repeats its last row or column to fill the tile.

    Args:
        tile_size: Side of the tile in pixels.

    Shapes:
        PIL RGB -> uint8 ``(1, 3, S, S)``.
    """

    __plm_kind__: ClassVar[str] = "image_tiler"

    # before the star: what plm_components wires; after it: options that a spec may set
    def __init__(self, tile_size: int) -> None:
        self.tile_size = tile_size

    def plan(self, width: int, height: int) -> TilePlan:
        """One tile, always."""
        return TilePlan(num_tiles=1, columns=1, rows=1, thumbnail=True)

    def max_tiles_per_image(self) -> int:
        """One."""
        return 1

    def __call__(self, image: Image.Image) -> Tensor:
        """PIL RGB -> uint8 ``(1, 3, S, S)``."""
        longest = max(image.size)
        width, height = (max(1, round(side * self.tile_size / longest)) for side in image.size)
        fitted = image.resize((width, height), Image.Resampling.BICUBIC)
        # a copy: PIL's buffer is read-only
        image_3HW = torch.from_numpy(np.array(fitted)).permute(2, 0, 1)
        rest = (0, self.tile_size - width, 0, self.tile_size - height)
        # torch repeats edges of floats only; uint8 fits into them
        return pad(image_3HW[None].float(), rest, mode="replicate").to(torch.uint8)
