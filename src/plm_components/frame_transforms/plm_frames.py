"""PerceptionLM's resize of video frames: torch's antialiased bicubic, rounded to uint8."""

from __future__ import annotations

from typing import Literal, TypeAlias

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from plm_components.errors import ShapeError

# torchvision is torch's kernel on uint8, which clips between its two passes: a level away, and
# more at hard edges
Resizer: TypeAlias = Literal["fp32", "torchvision"]


class PLMFramesTransform:
    """Stretches every frame to one tile; the aspect ratio is not kept.

    Unusual: the published models saw *images* through PIL's bicubic and *frames* through torch's;
    the two differ by a grey level here and there.

    Args:
        tile_size: Side of the tile in pixels.
        resize: ``fp32``, as the published models saw frames; or ``torchvision``, for the very
            pixels of transformers' video processor.

    Shapes:
        uint8 ``(F, 3, H, W)`` -> uint8 ``(F, 3, S, S)``.

    Raises:
        ShapeError: frames of another dtype or shape.

    Source:
        PerceptionLM, arXiv 2504.13180: fp32 bicubic with antialias, clamped, rounded.
    """

    def __init__(self, tile_size: int, *, resize: Resizer = "fp32") -> None:
        self.tile_size = tile_size
        self.resize = resize

    def __call__(self, frames_F3HW: Tensor) -> Tensor:
        """uint8 ``(F, 3, H, W)`` -> uint8 ``(F, 3, S, S)``."""
        self._refuse_other_shapes(frames_F3HW)
        size = (self.tile_size, self.tile_size)
        tiles_F3SS = torch.empty(len(frames_F3HW), 3, *size, dtype=torch.uint8)
        # one frame at a time: fp32 copies of all of a film's frames would not fit
        for frame_3HW, tile_3SS in zip(frames_F3HW, tiles_F3SS, strict=True):
            tile_3SS.copy_(self._resized(frame_3HW[None], size)[0])
        return tiles_F3SS

    def _resized(self, frame_13HW: Tensor, size: tuple[int, int]) -> Tensor:
        if self.resize == "torchvision":
            return interpolate(frame_13HW, size, mode="bicubic", antialias=True)
        resized = interpolate(frame_13HW.float(), size, mode="bicubic", antialias=True)
        return resized.clamp_(0, 255).round_()

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
