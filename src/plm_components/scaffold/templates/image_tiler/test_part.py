"""What this tiler does beyond its contract."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image

from plm_my_part.my_part import MyPart as Part


def ramp(width: int, height: int) -> Image.Image:
    values = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(values)


def test_the_shape_is_kept() -> None:
    image = ramp(64, 32)
    tile_3SS = Part(16)(image)[0]
    want_HW3 = np.array(image.resize((16, 8), Image.Resampling.BICUBIC))
    assert torch.equal(tile_3SS[:, :8], torch.from_numpy(want_HW3).permute(2, 0, 1))


def test_the_last_row_goes_on() -> None:
    tile_3SS = Part(16)(ramp(64, 32))[0]
    assert torch.equal(tile_3SS[:, 8:], tile_3SS[:, 7:8].expand(3, 8, 16))


def test_a_thread_of_an_image_is_not_lost() -> None:
    assert Part(16)(ramp(1, 500)).shape == (1, 3, 16, 16)
