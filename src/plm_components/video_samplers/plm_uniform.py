"""PerceptionLM's choice of frames: one a second, thinned or filled to ``max_frames``."""

from __future__ import annotations

from plm_components.contracts.media import Peek, Sample, VideoFacts


class PLMUniformSampler:
    """One frame a second; more than ``max_frames`` are thinned evenly, fewer are filled.

    A clip of fewer seconds than ``max_frames`` is sampled evenly over all of its own frames, so
    most clips become exactly ``max_frames`` frames, and a clip of fewer frames all of them.

    Args:
        max_frames: The most frames a video becomes.

    Source:
        PerceptionLM, arXiv 2504.13180, and its public inference code. A frame rate under 0.5
        there gives a stride of zero; here it gives one.
    """

    def __init__(self, *, max_frames: int = 32) -> None:
        self.max_frames = max_frames

    def max_frames_per_video(self) -> int:
        """``max_frames``."""
        return self.max_frames

    def sample(self, facts: VideoFacts, *, peek: Peek | None = None) -> Sample:
        """Frames and their times; ``peek`` is not used."""
        stride = max(1, round(facts.fps))
        indices = list(range(0, facts.num_frames, stride))
        if len(indices) > self.max_frames:
            indices = [indices[place] for place in spread(len(indices), self.max_frames)]
        elif len(indices) < self.max_frames:
            indices = spread(facts.num_frames, min(self.max_frames, facts.num_frames))
        return Sample(tuple(indices), tuple(facts.pts_s[index] for index in indices))


def spread(length: int, count: int) -> list[int]:
    """``count`` places evenly over ``0..length - 1``, both ends among them.

    Rounds half to even, as Python does and as the published models saw it.
    """
    if count == 1:
        return [0]
    return [round(place * (length - 1) / (count - 1)) for place in range(count)]
