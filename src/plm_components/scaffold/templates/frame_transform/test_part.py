"""What this transform does beyond its contract."""

from __future__ import annotations

import pytest
import torch
from plm_components.errors import ShapeError
from torch import Tensor

from plm_my_part.my_part import MyPart as Part


def frames(height: int, width: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (2, 3, height, width), dtype=torch.uint8, generator=generator)


def test_frames_that_fit_are_left_alone() -> None:
    clip = frames(8, 16)
    assert torch.equal(Part(16)(clip)[:, :, :8], clip)


def test_the_last_column_goes_on() -> None:
    tiles = Part(16)(frames(16, 10))
    assert torch.equal(tiles[..., 10:], tiles[..., 9:10].expand(2, 3, 16, 6))


def test_half_a_side_is_two_pixels_averaged() -> None:
    step = torch.tensor([0, 100], dtype=torch.uint8).repeat_interleave(16).expand(1, 3, 32, 32)
    assert Part(16)(step)[0, 0, 0].tolist()[:7] == [0] * 7
    assert Part(16)(step)[0, 0, 0].tolist()[9:] == [100] * 7


def test_frames_without_channels_are_refused() -> None:
    with pytest.raises(ShapeError, match="cannot be resized"):
        Part(16)(frames(4, 4)[:, 0])
