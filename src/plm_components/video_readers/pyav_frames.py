"""PyAV's frames to RGB tensors, upright."""

from __future__ import annotations

from typing import cast

import numpy as np
import torch
from av.buffer import Buffer
from av.video.frame import VideoFrame
from numpy.typing import NDArray
from torch import Tensor

_DISPLAY_MATRIX_BYTES = 36


def upright_size(frame: VideoFrame) -> tuple[int, int]:
    """Width and height in pixels, as displayed."""
    a, b, c, d = _display_matrix(frame)
    lies = abs(b) + abs(c) > abs(a) + abs(d)
    return (frame.height, frame.width) if lies else (frame.width, frame.height)


def is_mirrored(frame: VideoFrame) -> bool:
    """Whether no rotation alone makes it upright."""
    a, b, c, d = _display_matrix(frame)
    return a * d - b * c < 0


def rgb(frame: VideoFrame, width: int, height: int) -> Tensor:
    """uint8 ``(3, height, width)``: rotated and mirrored as the container says.

    Args:
        frame: Decoded.
        width: Of the result; a frame of another size is stretched.
        height: Of the result.
    """
    a, b, c, d = _display_matrix(frame)
    lies = abs(b) + abs(c) > abs(a) + abs(d)
    stored_width, stored_height = (height, width) if lies else (width, height)
    stored = frame.reformat(width=stored_width, height=stored_height, format="rgb24")
    pixels_HW3 = cast("NDArray[np.uint8]", stored.to_ndarray())
    # x' = a x + c y and y' = b x + d y, with one of the two pairs zero
    flips = (d, a)
    if lies:
        pixels_HW3, flips = pixels_HW3.transpose(1, 0, 2), (b, c)
    axes = tuple(axis for axis in (0, 1) if flips[axis] < 0)
    upright_HW3 = np.flip(pixels_HW3, axes) if axes else pixels_HW3
    return torch.from_numpy(np.ascontiguousarray(upright_HW3.transpose(2, 0, 1)))


def _display_matrix(frame: VideoFrame) -> tuple[int, int, int, int]:
    data = cast("Buffer | None", frame.side_data.get("DISPLAYMATRIX"))
    if data is None:
        return 1, 0, 0, 1
    matrix = np.frombuffer(bytes(data)[:_DISPLAY_MATRIX_BYTES], dtype=np.int32)
    return int(matrix[0]), int(matrix[1]), int(matrix[3]), int(matrix[4])
