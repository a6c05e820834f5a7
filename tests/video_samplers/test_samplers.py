from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plm_components.contracts import VideoFacts
from plm_components.errors import SpecError
from plm_components.video_samplers.fps import FPSSampler
from plm_components.video_samplers.keyframes import KeyframesSampler
from plm_components.video_samplers.plm_uniform import PLMUniformSampler


def facts_of(num_frames: int, fps: float, keys: tuple[int, ...] = (0,)) -> VideoFacts:
    times = tuple(number / fps for number in range(num_frames))
    return VideoFacts(num_frames, fps, num_frames / fps, times, keys, 64, 48)


def reference_indices(num_frames: int, fps: float, max_frames: int) -> list[int]:
    """The published rule, restated with exact fractions: one a second, thinned or filled."""

    def even(length: int, count: int) -> list[int]:
        if count == 1:
            return [0]
        # a Fraction rounds half to even, exactly
        return [round(Fraction(i * (length - 1), count - 1)) for i in range(count)]

    positions = [i for i in range(num_frames) if i % round(fps) == 0]
    if len(positions) > max_frames:
        return [positions[place] for place in even(len(positions), max_frames)]
    if len(positions) < max_frames:
        return even(num_frames, min(max_frames, num_frames))
    return positions


@given(st.integers(1, 5000), st.sampled_from([1.0, 5.0, 12.5, 23.976, 29.97, 60.0]),
       st.sampled_from([1, 2, 8, 16, 32]))  # fmt: skip
def test_plm_uniform_follows_the_published_rule(count: int, fps: float, max_frames: int) -> None:
    sample = PLMUniformSampler(max_frames=max_frames).sample(facts_of(count, fps))
    assert list(sample.indices) == reference_indices(count, fps, max_frames)


@pytest.mark.parametrize(
    ("num_frames", "fps", "max_frames", "indices"),
    [
        # longer than 4 s: one a second, thinned
        (300, 30, 4, (0, 90, 180, 270)),
        # exactly 4 seconds: one a second
        (120, 30, 4, (0, 30, 60, 90)),
        # shorter: filled from all frames; 0.5 rounds to 0 and 1.5 to 2
        (4, 30, 7, (0, 1, 2, 3)),
        (12, 30, 3, (0, 6, 11)),
        (6, 30, 3, (0, 2, 5)),
        # one frame
        (1, 30, 32, (0,)),
        # slower than one frame in two seconds: the published code divides by a stride of zero
        (6, 0.25, 32, (0, 1, 2, 3, 4, 5)),
        (100, 0.25, 3, (0, 50, 99)),
    ],
)
def test_plm_uniform_by_hand(
    num_frames: int, fps: float, max_frames: int, indices: tuple[int, ...]
) -> None:
    sample = PLMUniformSampler(max_frames=max_frames).sample(facts_of(num_frames, fps))
    assert sample.indices == indices
    assert sample.timestamps == pytest.approx([index / fps for index in indices])


SAMPLERS = [
    PLMUniformSampler(max_frames=8),
    FPSSampler(rate=2, max_frames=8),
    FPSSampler(rate=1e9, max_frames=8),
    FPSSampler(rate=1e-9, max_frames=8),
    KeyframesSampler(max_frames=8),
]


@pytest.mark.parametrize("sampler", SAMPLERS, ids=lambda sampler: type(sampler).__name__)
@given(data=st.data())
def test_what_every_sampler_promises(sampler: PLMUniformSampler, data: st.DataObject) -> None:
    gaps = data.draw(st.lists(st.floats(1e-3, 5), min_size=0, max_size=60))
    times = [0.0]
    for gap in gaps:
        times.append(times[-1] + gap)
    keys = data.draw(st.sets(st.integers(0, len(times) - 1)))
    duration = times[-1] + 0.04
    facts = VideoFacts(
        len(times), len(times) / duration, duration, tuple(times), tuple(sorted(keys)), 64, 48
    )
    sample = sampler.sample(facts)
    assert 1 <= len(sample.indices) <= sampler.max_frames_per_video() == 8
    assert all(a < b for a, b in pairwise(sample.indices))
    assert sample.timestamps == tuple(times[index] for index in sample.indices)


def test_fps_steps_through_time_not_frames() -> None:
    # ten frames in the first second, then one a second
    times = (*(n / 10 for n in range(10)), 1.0, 2.0, 3.0, 4.0)
    facts = VideoFacts(14, 14 / 5, 5.0, times, (0,), 64, 48)
    sample = FPSSampler(rate=1, max_frames=32).sample(facts)
    assert sample.timestamps == (0.0, 1.0, 2.0, 3.0, 4.0)


@pytest.mark.parametrize(
    ("rate", "indices"),
    [(1, (0, 30, 60)), (2, (0, 15, 30, 45, 60, 75)), (30, tuple(range(90))),
     (60, tuple(range(90)))],
)  # fmt: skip
def test_fps_on_a_steady_video(rate: float, indices: tuple[int, ...]) -> None:
    assert FPSSampler(rate=rate, max_frames=100).sample(facts_of(90, 30)).indices == indices


def test_fps_thins_evenly() -> None:
    sample = FPSSampler(rate=1, max_frames=4).sample(facts_of(100, 10))
    assert sample.indices == (0, 30, 60, 90)


def test_keyframes_are_thinned_evenly() -> None:
    facts = facts_of(100, 10, keys=tuple(range(0, 100, 10)))
    assert KeyframesSampler(max_frames=4).sample(facts).indices == (0, 30, 60, 90)
    assert KeyframesSampler(max_frames=99).sample(facts).indices == facts.keyframe_indices


def test_a_clip_without_a_key_frame_gives_its_first_frame() -> None:
    assert KeyframesSampler().sample(facts_of(10, 10, keys=())).indices == (0,)


@pytest.mark.parametrize(
    "build",
    [
        lambda: PLMUniformSampler(max_frames=0),
        lambda: KeyframesSampler(max_frames=-1),
        lambda: FPSSampler(rate=0),
        lambda: FPSSampler(rate=float("nan")),
        lambda: FPSSampler(max_frames=0),
    ],
)
def test_options_that_leave_no_frame_are_refused(build) -> None:
    with pytest.raises(SpecError, match="no frame"):
        build()
