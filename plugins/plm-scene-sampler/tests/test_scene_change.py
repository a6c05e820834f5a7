"""Planted scenes are found; histograms and filling against restatements of their own."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from torch import Tensor

from plm_components.contracts import VideoFacts
from plm_components.errors import SpecError, UnsupportedError
from plm_components.video_readers.pyav import PyAVReader
from plm_components.video_samplers.plm_uniform import PLMUniformSampler
from plm_scene_sampler.colors import color_distances
from plm_scene_sampler.filling import fill
from plm_scene_sampler.scene_change import SceneChangeSampler


def facts_of(num_frames: int, fps: float = 25.0) -> VideoFacts:
    times = tuple(number / fps for number in range(num_frames))
    return VideoFacts(num_frames, fps, num_frames / fps, times, (0,), 64, 48)


class Film:
    """Scenes of one colour and a moving bar; remembers what was looked at.

    Args:
        lengths: Frames of each scene.
    """

    def __init__(self, *lengths: int) -> None:
        self.scene_of = np.repeat(np.arange(len(lengths)), lengths)
        self.facts = facts_of(len(self.scene_of))
        self.looked_at: list[int] = []

    def peek(self, indices: Sequence[int], side: int) -> Tensor:
        self.looked_at.extend(indices)
        frames = torch.zeros(len(indices), 3, side, side, dtype=torch.uint8)
        for frame, index in zip(frames, indices, strict=True):
            red, green, blue = (int(self.scene_of[index]) * step % 256 for step in (97, 151, 59))
            frame[0], frame[1], frame[2] = red, green, blue
            frame[:, :, index % side] = 255
        return frames

    def scenes_in(self, indices: Sequence[int]) -> set[int]:
        return {int(self.scene_of[index]) for index in indices}


def test_every_scene_is_seen_where_even_sampling_misses_one() -> None:
    # the second shot is 30 frames of 3,000, between two of the uniform sampler's
    film = Film(1010, 30, 1500, 460)
    found = SceneChangeSampler(max_frames=8).sample(film.facts, peek=film.peek)
    assert film.scenes_in(found.indices) == {0, 1, 2, 3}
    uniform = PLMUniformSampler(max_frames=8).sample(film.facts)
    assert film.scenes_in(uniform.indices) == {0, 2, 3}
    assert len(film.looked_at) == 128


@pytest.mark.parametrize("max_frames", [1, 2, 5, 8, 32])
def test_times_are_the_frames_own_and_strictly_increase(max_frames: int) -> None:
    film = Film(40, 3, 90, 7, 60)
    found = SceneChangeSampler(max_frames=max_frames).sample(film.facts, peek=film.peek)
    assert len(found.indices) == max_frames
    assert found.timestamps == tuple(film.facts.pts_s[index] for index in found.indices)
    assert all(earlier < later for earlier, later in pairwise(found.timestamps))


def test_a_scene_gives_its_middle() -> None:
    film = Film(40, 20, 60)
    found = SceneChangeSampler(max_frames=3, candidates=120).sample(film.facts, peek=film.peek)
    assert found.indices == (19, 49, 89)


def test_too_many_scenes_keep_the_strongest_cuts() -> None:
    """Two cuts in a frame's colours, one of them in a quarter of it."""
    film = Film(30)

    def peek(indices: Sequence[int], side: int) -> Tensor:
        frames = torch.zeros(len(indices), 3, side, side, dtype=torch.uint8)
        for frame, index in zip(frames, indices, strict=True):
            frame[:] = 200 if index >= 20 else 0
            frame[:, : side // 2, : side // 2] = 100 if index >= 10 else 0
        return frames

    def found(max_frames: int) -> tuple[int, ...]:
        sampler = SceneChangeSampler(max_frames=max_frames, threshold=0.2)
        return sampler.sample(film.facts, peek=peek).indices

    assert found(3) == (4, 14, 24)
    assert found(2) == (9, 24)


def test_one_scene_is_sampled_evenly() -> None:
    film = Film(1000)
    found = SceneChangeSampler(max_frames=9).sample(film.facts, peek=film.peek)
    steps = [later - earlier for earlier, later in pairwise(found.indices)]
    assert (found.indices[0], found.indices[-1]) == (0, 999)
    assert max(steps) - min(steps) <= 8


def test_histogram_distances_equal_numpy_s() -> None:
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (5, 3, 8, 8), dtype=np.uint8)

    def histogram(frame: np.ndarray) -> np.ndarray:
        quarters = [
            frame[channel, top : top + 4, left : left + 4]
            for channel in range(3)
            for top in (0, 4)
            for left in (0, 4)
        ]
        return np.concatenate([np.histogram(q, 16, (0, 256))[0] for q in quarters])

    expected = [
        np.abs(histogram(one) - histogram(other)).sum() / 2 / (3 * 64)
        for one, other in pairwise(frames)
    ]
    assert color_distances(torch.from_numpy(frames)) == pytest.approx(expected, abs=1e-15)


@pytest.mark.parametrize(("before", "after", "distance"), [(0, 255, 1.0), (3, 7, 0.0)])
def test_distances_reach_from_none_to_one(before: int, after: int, distance: float) -> None:
    frames = torch.tensor([before, after], dtype=torch.uint8).view(2, 1, 1, 1).expand(2, 3, 4, 4)
    assert color_distances(frames) == [distance]


@pytest.mark.parametrize("seed", range(5))
def test_filling_is_farthest_first(seed: int) -> None:
    """Against the definition, on unsteady times: each next frame maximises the least distance."""
    rng = np.random.default_rng(seed)
    times = np.cumsum(rng.uniform(0.01, 1.0, 40)).tolist()
    chosen = sorted(rng.choice(40, 3, replace=False).tolist())
    expected = list(chosen)
    for _ in range(9):
        distances = [min(abs(time - times[one]) for one in expected) for time in times]
        expected.append(int(np.argmax(distances)))
    assert fill(times, chosen, 12) == sorted(expected)


def test_a_video_shorter_than_its_budget_gives_every_frame() -> None:
    film = Film(3, 2)
    found = SceneChangeSampler(max_frames=32).sample(film.facts, peek=film.peek)
    assert found.indices == (0, 1, 2, 3, 4)


def test_a_real_file_is_cut_where_it_was_cut(tmp_path: Path) -> None:
    """Encoded with losses, read by PyAV: three shots, the middle one a third of a second."""
    path = tmp_path / "shots.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=12)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(60):
            shot = (number >= 29) + (number >= 33)
            pixels = np.full((48, 64, 3), ((200, 40, 40), (40, 56, 200), (24, 168, 72))[shot])
            pixels[:, number : number + 4] = 255
            frame = av.VideoFrame.from_ndarray(pixels.astype(np.uint8), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 12)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    reader = PyAVReader()

    def peek(indices: Sequence[int], side: int) -> Tensor:
        frames = reader.read(path, indices).float()
        return torch.nn.functional.interpolate(frames, (side, side)).to(torch.uint8)

    found = SceneChangeSampler(max_frames=3).sample(reader.facts(path), peek=peek)
    assert found.indices == (14, 30, 46)


def test_without_looking_it_refuses() -> None:
    with pytest.raises(UnsupportedError) as caught:
        SceneChangeSampler().sample(facts_of(10))
    assert str(caught.value) == (
        "video_sampler/scene_change cannot choose frames without looking.\n"
        "  where:    video_sampler/scene_change, sample\n"
        "  expected: peek, which decodes small frames\n"
        "  fix:      pass peek, or set video_sampler=plm_uniform, which needs none"
    )


def test_options_out_of_range_are_refused() -> None:
    with pytest.raises(SpecError) as caught:
        SceneChangeSampler(side=15)
    assert str(caught.value) == (
        "side=15 leaves nothing to look at.\n"
        "  where:    video_sampler/scene_change\n"
        "  expected: an even number of pixels\n"
        "  fix:      set video_sampler.side=32"
    )
    with pytest.raises(SpecError, match=r"threshold=1\.5 leaves nothing"):
        SceneChangeSampler(threshold=1.5)
