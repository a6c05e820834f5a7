"""Beside a stretch to the tile, on a photograph's size."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image
from plm_components.image_tilers.single import SingleTiler

from plm_my_part.my_part import MyPart as Part


@pytest.mark.parametrize("tiler_class", [SingleTiler, Part])
def test_one_image(benchmark: Any, tiler_class: Any) -> None:
    width, height, side = (64, 48, 32) if benchmark.disabled else (1600, 1200, 448)
    image = Image.fromarray(np.full((height, width, 3), 77, dtype=np.uint8))
    tiler = tiler_class(side)
    # no wrong answer gets a time: one colour stays that colour
    assert tiler(image).unique().tolist() == [77]
    benchmark(lambda: tiler(image))
