"""Frames with their shape kept, their edges going on to fill the tile."""

from __future__ import annotations

from typing import ClassVar

import torch
from plm_components.errors import ShapeError
from torch import Tensor
from torch.nn.functional import interpolate, pad


class MyPart:
    """Resizes by bilinear interpolation with antialias, one frame at a time.

    Args:
        tile_size: Side of the tile in pixels.

    Shapes:
        uint8 ``(F, 3, H, W)`` -> uint8 ``(F, 3, S, S)``.

    Raises:
        ShapeError: frames of another dtype or shape.
    """

    __plm_kind__: ClassVar[str] = "frame_transform"

    # before the star: what plm_components wires; after it: options that a spec may set
    def __init__(self, tile_size: int) -> None:
        self.tile_size = tile_size

    def __call__(self, frames_F3HW: Tensor) -> Tensor:
        """uint8 ``(F, 3, H, W)`` -> uint8 ``(F, 3, S, S)``."""
        shape = tuple(frames_F3HW.shape)
        if frames_F3HW.dtype != torch.uint8 or len(shape) != 4 or shape[1] != 3 or not all(shape):
            raise ShapeError(
                f"Frames of shape {shape} and dtype {frames_F3HW.dtype} cannot be resized.",
                where="frame_transform/my_part, input",
                expected="uint8 (F, 3, H, W) with at least one frame",
                fix="pass RGB frames as a video reader returns them",
            )
        # one frame at a time: fp32 copies of all of a film's frames would not fit
        return torch.cat([self._fitted(frame_3HW[None]) for frame_3HW in frames_F3HW])

    def _fitted(self, frame_13HW: Tensor) -> Tensor:
        sides = frame_13HW.shape[2:]
        height, width = (max(1, round(side * self.tile_size / max(sides))) for side in sides)
        small = interpolate(frame_13HW.float(), (height, width), mode="bilinear", antialias=True)
        rest = (0, self.tile_size - width, 0, self.tile_size - height)
        return pad(small, rest, mode="replicate").round_().clamp_(0, 255).to(torch.uint8)
