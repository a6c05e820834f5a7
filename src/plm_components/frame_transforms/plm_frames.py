"""PerceptionLM's resize of video frames: torch's antialiased bicubic, rounded to uint8."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from plm_components.errors import ShapeError


class PLMFramesTransform:
    """Stretches every frame to one tile; the aspect ratio is not kept.

    Unusual: the published models saw *images* through PIL's bicubic and *frames* through torch's;
    the two differ by a grey level here and there.

    Args:
        tile_size: Side of the tile in pixels.

    Shapes:
        uint8 ``(F, 3, H, W)`` -> uint8 ``(F, 3, S, S)``.

    Raises:
        ShapeError: frames of another dtype or shape.

    Source:
        PerceptionLM, arXiv 2504.13180: fp32 bicubic with antialias, clamped, rounded.
    """

    def __init__(self, tile_size: int) -> None:
        self.tile_size = tile_size

    def __call__(self, frames_F3HW: Tensor) -> Tensor:
        """uint8 ``(F, 3, H, W)`` -> uint8 ``(F, 3, S, S)``."""
        self._refuse_other_shapes(frames_F3HW)
        size = (self.tile_size, self.tile_size)
        tiles_F3SS = torch.empty(len(frames_F3HW), 3, *size, dtype=torch.uint8)
        # one frame at a time: fp32 copies of all of a film's frames would not fit
        for frame_3HW, tile_3SS in zip(frames_F3HW, tiles_F3SS, strict=True):
            resized = interpolate(
                frame_3HW[None].float(), size, mode="bicubic", antialias=True, align_corners=False
            )
            tile_3SS.copy_(resized[0].clamp_(0, 255).round_())
        return tiles_F3SS

    def _refuse_other_shapes(self, frames_F3HW: Tensor) -> None:
        shape = tuple(frames_F3HW.shape)
        if frames_F3HW.dtype == torch.uint8 and len(shape) == 4 and shape[1] == 3 and all(shape):
            return
        raise ShapeError(
            f"Frames of shape {shape} and dtype {frames_F3HW.dtype} cannot be resized.",
            where="frame_transform/plm_frames, input",
            expected="uint8 (F, 3, H, W) with at least one frame",
            fix="pass RGB frames as a video reader returns them",
        )
