from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plm_components.contracts import VideoFacts
from plm_components.errors import MediaError
from plm_components.model.clips import cut_clip
from plm_components.model.messages import ClipRule
from plm_components.video_samplers.plm_uniform import PLMUniformSampler

PATH = Path("a.mp4")


def facts_of(num_frames: int, fps: float) -> VideoFacts:
    times = tuple(number / fps for number in range(num_frames))
    keys = tuple(range(0, num_frames, 10))
    return VideoFacts(num_frames, fps, num_frames / fps, times, keys, 64, 48)


@pytest.mark.parametrize(
    ("start_s", "end_s", "first", "last"),
    [
        (None, None, 0, 99),
        (0, None, 0, 99),
        (1.0, 3.0, 10, 30),
        # both are cut to a whole frame
        (1.19, 3.19, 11, 31),
        (None, 2, 0, 20),
        # longer than the file
        (5, 1000, 50, 99),
        # reversed
        (3, 1, 10, 30),
        # one frame becomes two, and stays inside the file
        (2, 2, 20, 21),
        (9.95, 9.99, 99, 99),
        (9.9, None, 99, 99),
    ],
)
def test_the_published_rule(start_s: float, end_s: float, first: int, last: int) -> None:
    reversed_ = start_s is not None and end_s is not None and end_s <= start_s
    for rule in ("published",) if reversed_ else ("published", "exact"):
        clip = cut_clip(PATH, facts_of(100, 10), start_s, end_s, rule=rule)
        assert (clip.first, clip.first + clip.facts.num_frames - 1) == (first, last)
        assert clip.start_s == pytest.approx(first / 10)


@pytest.mark.parametrize(("start_s", "end_s"), [(3.0, 1.0), (2.0, 2.0)])
def test_a_clip_that_ends_before_it_starts_is_refused(start_s: float, end_s: float) -> None:
    with pytest.raises(MediaError) as caught:
        cut_clip(PATH, facts_of(100, 10), start_s, end_s)
    assert str(caught.value) == (
        f"The clip ends at {end_s:g} s and starts at {start_s:g} s.\n"
        "  where:    a.mp4\n"
        "  expected: start_s below end_s\n"
        "  fix:      exchange them, or leave one out"
    )


@pytest.mark.parametrize(("rule", "first"), [("exact", 29), ("published", 28)])
def test_a_time_whose_product_floats_round_down(rule: ClipRule, first: int) -> None:
    assert cut_clip(PATH, facts_of(200, 100), 0.29, 1.0, rule=rule).first == first


@pytest.mark.parametrize("fps", [10, 24, 25, 29.97, 30, 59.94, 100])
def test_every_frames_own_time_is_that_frame(fps: float) -> None:
    facts = facts_of(200, fps)
    firsts = [cut_clip(PATH, facts, number / fps).first for number in range(200)]
    assert firsts == list(range(200))


def test_where_frames_are_not_equally_long_their_own_times_count() -> None:
    # one frame a second for four seconds, then ten a second for six
    times = (*map(float, range(4)), *(4 + number / 10 for number in range(60)))
    facts = VideoFacts(64, 6.4, 10.0, times, (0,), 64, 48)
    clip = cut_clip(PATH, facts, 2.5, 4.25)
    assert (clip.first, clip.start_s) == (2, 2.0)
    assert clip.facts.num_frames == 5


def test_a_clip_is_a_video_of_its_own() -> None:
    clip = cut_clip(PATH, facts_of(100, 10), 1.5, 3.2)
    facts = clip.facts
    assert (facts.num_frames, facts.fps, facts.width, facts.height) == (18, 10, 64, 48)
    assert facts.pts_s == pytest.approx([number / 10 for number in range(18)])
    assert facts.duration_s == pytest.approx(1.8)
    assert facts.keyframe_indices == (5, 15)


def reference_positions(num_frames: int, fps: float, start: int, end: int, most: int) -> list[int]:
    """The published rule with start and end inside it."""

    def even(length: int, count: int) -> list[int]:
        return [0] if count == 1 else [round(i * (length - 1) / (count - 1)) for i in range(count)]

    positions = list(range(start, end + 1, round(fps)))
    if len(positions) > most:
        return [positions[place] for place in even(len(positions), most)]
    if len(positions) < most:
        length = end - start + 1
        return [start + place for place in even(length, min(most, length))]
    return positions


@pytest.mark.parametrize("most", [1, 4, 32])
@pytest.mark.parametrize(("start_s", "end_s"), [(0, 90), (3.3, 50.7), (88, 91), (10, 13.99)])
def test_sampling_a_clip_is_sampling_between_its_ends(
    start_s: float, end_s: float, most: int
) -> None:
    fps = 29.97
    facts = facts_of(2700, fps)
    clip = cut_clip(PATH, facts, start_s, end_s, rule="published")
    sample = PLMUniformSampler(max_frames=most).sample(clip.facts)
    expected = reference_positions(2700, fps, int(start_s * fps), min(int(end_s * fps), 2699), most)
    assert [clip.first + index for index in sample.indices] == expected


def page_frames(
    num_frames: int, fps: float, start_s: float | None, end_s: float | None, most: int
) -> list[int]:
    """Frames of the published code, its errors included: some lie behind the end of the file."""

    def even(length: int, count: int) -> list[int]:
        # a Fraction rounds half to even, exactly
        return [round(Fraction(i * (length - 1), max(count - 1, 1))) for i in range(count)]

    start = int(start_s * fps) if start_s else 0
    end = min(int(end_s * fps), num_frames - 1) if end_s else num_frames - 1
    if start > end:
        start, end = end, start
    if start == end:
        end = start + 1
    positions = list(range(start, end + 1, round(fps)))
    if len(positions) > most:
        return [positions[place] for place in even(len(positions), most)]
    if len(positions) < most:
        length = end - start + 1
        return [start + place for place in even(length, min(most, length))]
    return positions


TIMES = st.none() | st.floats(0.01, 16) | st.integers(1, 16)


@settings(max_examples=400)
@given(
    num_frames=st.integers(1, 400),
    fps=st.sampled_from([1.0, 5.0, 12.5, 23.976, 24.0, 29.97, 30.0, 60.0]),
    times=st.tuples(TIMES, TIMES) | TIMES.map(lambda time: (time, time)),
    most=st.sampled_from([1, 2, 3, 8, 32]),
)
def test_the_frames_of_a_clip_are_those_of_the_published_code(
    num_frames: int, fps: float, times: tuple[float | None, float | None], most: int
) -> None:
    expected = page_frames(num_frames, fps, *times, most)
    try:
        clip = cut_clip(PATH, facts_of(num_frames, fps), *times, rule="published")
    except MediaError:
        # both ends behind the file: the published code asks for frames that are not there
        assert min(int(time * fps) for time in times if time is not None) >= num_frames
        return
    sample = PLMUniformSampler(max_frames=most).sample(clip.facts)
    found = [clip.first + index for index in sample.indices]
    if max(expected) < num_frames:
        assert found == expected
    else:
        assert found[0] == expected[0]
        assert max(found) < num_frames


def test_a_clip_behind_the_end_is_refused() -> None:
    with pytest.raises(MediaError) as caught:
        cut_clip(PATH, facts_of(100, 10), 12, 13)
    assert str(caught.value) == (
        "The clip starts at 12 s, and the video lasts 10.00 s.\n"
        "  where:    a.mp4\n"
        "  expected: start_s below 10.00\n"
        "  fix:      pass an earlier start_s"
    )
