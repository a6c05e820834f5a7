"""The whole image, stretched to one tile."""

from __future__ import annotations

from PIL import Image
from torch import Tensor

from plm_components.contracts.media import TilePlan
from plm_components.image_tilers.resize import Resizer, stretch


class SingleTiler:
    """One tile an image, whatever its size; the aspect ratio is not kept.

    Args:
        tile_size: Side of the tile in pixels.
        resize: ``pil``, as the published models saw images; or ``torchvision``, for the very
            pixels of transformers' image processor.

    Shapes:
        PIL RGB -> uint8 ``(1, 3, S, S)``.

    Source:
        PerceptionLM's ``vanilla`` input, arXiv 2504.13180: PIL bicubic, no padding.
    """

    def __init__(self, tile_size: int, *, resize: Resizer = "pil") -> None:
        self.tile_size = tile_size
        self.resize = resize

    def plan(self, width: int, height: int) -> TilePlan:
        """One tile, always."""
        return TilePlan(num_tiles=1, columns=1, rows=1, thumbnail=True)

    def max_tiles_per_image(self) -> int:
        """One."""
        return 1

    def __call__(self, image: Image.Image) -> Tensor:
        """PIL RGB -> uint8 ``(1, 3, S, S)``."""
        return stretch(image, self.tile_size, self.tile_size, self.resize)[None]
