from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from transformers.models.perception_lm.image_processing_perception_lm import (
    PerceptionLMImageProcessor,
)

from plm_components.contracts import TilePlan
from plm_components.image_tilers.single import SingleTiler


@pytest.mark.parametrize("size", [(1, 1), (28, 28), (300, 200), (20000, 20)])
def test_one_tile_is_pils_bicubic_stretch(size: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    image = Image.fromarray(pixels)
    tiler = SingleTiler(28)
    expected = np.asarray(image.resize((28, 28), Image.Resampling.BICUBIC))
    assert torch.equal(tiler(image)[0], torch.from_numpy(expected.copy()).permute(2, 0, 1))
    assert tiler.plan(*size) == TilePlan(1, 1, 1, thumbnail=True)
    assert tiler.max_tiles_per_image() == 1


def test_torchvisions_resize_gives_the_very_tile_of_transformers() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (90, 60, 3), dtype=np.uint8)
    theirs = PerceptionLMImageProcessor(vision_input_type="vanilla", tile_size=28)
    expected = theirs(pixels, do_rescale=False, do_normalize=False, return_tensors="pt")
    tile = SingleTiler(28, resize="torchvision")(Image.fromarray(pixels))
    assert torch.equal(tile, expected["pixel_values"][0])
