"""What this sampler does beyond its contract."""

from __future__ import annotations

import pytest
from plm_components.contracts import VideoFacts
from plm_components.errors import SpecError

from plm_my_part.my_part import MyPart as Part


def video(num_frames: int, fps: float = 4.0) -> VideoFacts:
    times = tuple(number / fps for number in range(num_frames))
    return VideoFacts(num_frames, fps, num_frames / fps, times, (0,), 64, 48)


@pytest.mark.parametrize(
    ("num_frames", "max_frames", "want"),
    [(12, 3, (2, 6, 10)), (100, 4, (12, 37, 62, 87)), (9, 1, (4,)), (3, 8, (0, 1, 2))],
)
def test_each_stretch_gives_its_middle(num_frames: int, max_frames: int, want: tuple) -> None:
    sample = Part(max_frames=max_frames).sample(video(num_frames))
    assert sample.indices == want
    assert sample.timestamps == tuple(index / 4.0 for index in want)


def test_no_frame_is_refused() -> None:
    with pytest.raises(SpecError, match="max_frames=0 leaves no frame"):
        Part(max_frames=0)
