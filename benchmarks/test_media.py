"""From a file's facts and pixels to tiles: what a user waits for before the model runs.

No kernel and no device: plain pytest-benchmark over the registry, a plugin's parts too, and what
the contract promises is checked before anything is timed.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor

from plm_components.contracts import VideoFacts
from plm_components.zoo import Entry, default_zoo

ZOO = default_zoo()
COLOUR = (11, 77, 200)


def each(kind: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("entry", ZOO.entries(kind), ids=lambda entry: entry.address)


@each("video_sampler")
def test_choosing_frames(benchmark: Any, entry: Entry) -> None:
    num_frames = 240 if benchmark.disabled else 24 * 3600
    sampler, facts = _part(entry)(), _facts(num_frames)
    sample = sampler.sample(facts, peek=_peek)
    assert 0 < len(sample.indices) <= sampler.max_frames_per_video()
    assert list(sample.timestamps) == [facts.pts_s[index] for index in sample.indices]
    assert sorted(set(sample.indices)) == list(sample.indices)
    benchmark.group = f"choose of {num_frames} frames"
    benchmark(lambda: sampler.sample(facts, peek=_peek))


@each("image_tiler")
def test_tiling_an_image(benchmark: Any, entry: Entry) -> None:
    width, height, side = (60, 40, 16) if benchmark.disabled else (1344, 896, 448)
    tiler, image = _part(entry)(side), Image.new("RGB", (width, height), COLOUR)
    tiles = tiler(image)
    assert tiles.shape == (tiler.plan(width, height).num_tiles, 3, side, side)
    assert _colour(tiles) == COLOUR
    benchmark.group = f"tile an image of {width}x{height}"
    benchmark(lambda: tiler(image))


@each("frame_transform")
def test_stretching_frames(benchmark: Any, entry: Entry) -> None:
    count, width, height, side = (2, 32, 24, 16) if benchmark.disabled else (32, 1280, 720, 448)
    transform = _part(entry)(side)
    frames = (
        torch.tensor(COLOUR, dtype=torch.uint8).view(1, 3, 1, 1).repeat(count, 1, height, width)
    )
    tiles = transform(frames)
    assert tiles.shape == (count, 3, side, side)
    assert _colour(tiles) == COLOUR
    benchmark.group = f"stretch {count} frames of {width}x{height}"
    benchmark(lambda: transform(frames))


def _part(entry: Entry) -> Any:
    if entry.status == "unavailable":
        pytest.skip(f"{entry.address} is unavailable: it {entry.reason}")
    return entry.load()


def _facts(num_frames: int) -> VideoFacts:
    times = tuple(number / 24 for number in range(num_frames))
    keyframes = tuple(range(0, num_frames, 48))
    return VideoFacts(num_frames, 24.0, num_frames / 24, times, keyframes, 64, 48)


def _peek(indices: Any, side: int) -> Tensor:
    """Small frames for samplers that look, each of another brightness."""
    shade = torch.as_tensor(indices, dtype=torch.int64).remainder(251).to(torch.uint8)
    return shade.view(-1, 1, 1, 1).expand(-1, 3, side, side)


def _colour(tiles: Tensor) -> tuple[int, ...]:
    """The one colour that all pixels have."""
    return tuple(int(channel.unique()) for channel in tiles.unbind(1))
