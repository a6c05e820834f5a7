from __future__ import annotations

import pytest
import torch
from torchvision.transforms import InterpolationMode
from torchvision.transforms.functional import resize
from transformers.models.perception_lm.video_processing_perception_lm import (
    PerceptionLMVideoProcessor,
)

from plm_components.errors import ShapeError
from plm_components.frame_transforms.plm_frames import PLMFramesTransform


@pytest.mark.parametrize("size", [(1, 1), (20, 30), (56, 56), (300, 170), (8, 999)])
def test_frames_are_torchvisions_resize(size: tuple[int, int]) -> None:
    frames = torch.randint(0, 256, (3, 3, *size), dtype=torch.uint8)
    tiles = PLMFramesTransform(56)(frames)
    # as the published code does; torchvision's v2 resizes in uint8 and rounds between its passes
    assert torch.equal(tiles, resize(frames, [56, 56], InterpolationMode.BICUBIC, antialias=True))


@pytest.mark.parametrize("size", [(1, 1), (20, 30), (56, 56), (300, 170), (8, 999)])
def test_torchvisions_resize_gives_the_very_frames_of_transformers(size: tuple[int, int]) -> None:
    frames = torch.randint(0, 256, (3, 3, *size), dtype=torch.uint8)
    theirs = PerceptionLMVideoProcessor(size={"height": 56, "width": 56})
    expected = theirs(frames, do_rescale=False, do_normalize=False, return_tensors="pt")
    tiles = PLMFramesTransform(56, resize="torchvision")(frames)
    assert torch.equal(tiles, expected["pixel_values_videos"][0])


def test_without_hard_edges_the_two_resizes_are_one_level_apart() -> None:
    small = torch.randint(0, 256, (2, 3, 6, 6), dtype=torch.uint8)
    frames = PLMFramesTransform(300)(small)
    ours, theirs = (PLMFramesTransform(56, resize=kind)(frames) for kind in ("fp32", "torchvision"))
    assert (ours.int() - theirs.int()).abs().max() <= 1


def test_each_frame_is_resized_alone() -> None:
    frames = torch.randint(0, 256, (4, 3, 30, 40), dtype=torch.uint8)
    transform = PLMFramesTransform(28)
    alone = torch.cat([transform(frame[None]) for frame in frames])
    assert torch.equal(transform(frames), alone)


@pytest.mark.parametrize(
    "frames",
    [
        torch.zeros(2, 3, 8, 8),
        torch.zeros(2, 8, 8, 3, dtype=torch.uint8),
        torch.zeros(3, 8, 8, dtype=torch.uint8),
        torch.zeros(0, 3, 8, 8, dtype=torch.uint8),
    ],
)
def test_anything_but_rgb_frames_is_refused(frames: torch.Tensor) -> None:
    with pytest.raises(ShapeError) as caught:
        PLMFramesTransform(28)(frames)
    assert caught.value.what == (
        f"Frames of shape {tuple(frames.shape)} and dtype {frames.dtype} cannot be resized."
    )
    assert caught.value.where == "frame_transform/plm_frames, input"
