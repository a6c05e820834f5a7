"""Beside PerceptionLM's own stretch, over a clip."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from plm_components.frame_transforms.plm_frames import PLMFramesTransform

from plm_my_part.my_part import MyPart as Part


@pytest.mark.parametrize("transform_class", [PLMFramesTransform, Part])
def test_a_clip(benchmark: Any, transform_class: Any) -> None:
    count, height, width, side = (2, 24, 32, 16) if benchmark.disabled else (16, 480, 640, 448)
    clip = torch.full((count, 3, height, width), 77, dtype=torch.uint8)
    transform = transform_class(side)
    # no wrong answer gets a time: one colour stays that colour
    assert transform(clip).unique().tolist() == [77]
    benchmark(lambda: transform(clip))
