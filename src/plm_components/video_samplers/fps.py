"""Frames at a fixed rate."""

from __future__ import annotations

from bisect import bisect_left

from plm_components.contracts.media import Peek, Sample, VideoFacts
from plm_components.errors import SpecError
from plm_components.video_samplers.spread import spread


class FPSSampler:
    """The frame shown at 0, 1/rate, 2/rate … seconds; more than ``max_frames`` are thinned evenly.

    Times, not numbers, are stepped through, so a varying frame rate is sampled as it is seen. A
    video slower than ``rate`` gives each of its frames once.

    Args:
        rate: Frames per second.
        max_frames: The most frames a video becomes.

    Raises:
        SpecError: a rate or a number of frames that leaves none.
    """

    def __init__(self, *, rate: float = 1.0, max_frames: int = 32) -> None:
        if not rate > 0 or max_frames < 1:
            raise SpecError(
                f"rate={rate} with max_frames={max_frames} leaves no frame.",
                where="video_sampler/fps",
                expected="a rate above 0 and at least one frame",
                fix="set video_sampler.rate=1 and video_sampler.max_frames=32",
            )
        self.rate = rate
        self.max_frames = max_frames

    def max_frames_per_video(self) -> int:
        """``max_frames``."""
        return self.max_frames

    def sample(self, facts: VideoFacts, *, peek: Peek | None = None) -> Sample:
        """Frames and their times; ``peek`` is not used."""
        last = facts.num_frames - 1
        steps = int(facts.pts_s[-1] * self.rate + 1e-6) + 1
        # a very high rate would name the same frames over and over
        if steps >= facts.num_frames * 64:
            shown = list(range(facts.num_frames))
        else:
            times = (step / self.rate for step in range(steps))
            shown = sorted({min(_frame_at(facts, time), last) for time in times})
        if len(shown) > self.max_frames:
            shown = [shown[place] for place in spread(len(shown), self.max_frames)]
        return Sample(tuple(shown), tuple(facts.pts_s[index] for index in shown))


def _frame_at(facts: VideoFacts, time_s: float) -> int:
    """The frame nearest to a time; the earlier one of two."""
    after = bisect_left(facts.pts_s, time_s)
    if after == 0 or after == facts.num_frames:
        return min(after, facts.num_frames - 1)
    before_gap = time_s - facts.pts_s[after - 1]
    return after if facts.pts_s[after] - time_s < before_gap else after - 1
