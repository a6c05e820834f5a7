"""PerceptionLM's choice of frames: one a second, thinned or filled to ``max_frames``."""

from __future__ import annotations

from plm_components.contracts.media import Peek, Sample, VideoFacts
from plm_components.errors import SpecError
from plm_components.video_samplers.spread import spread


class PLMUniformSampler:
    """One frame a second; more than ``max_frames`` are thinned evenly, fewer are filled.

    A clip of fewer seconds than ``max_frames`` is sampled evenly over all of its own frames, so
    most clips become exactly ``max_frames`` frames, and a clip of fewer frames all of them.

    Args:
        max_frames: The most frames a video becomes.

    Raises:
        SpecError: ``max_frames`` below 1.

    Source:
        PerceptionLM, arXiv 2504.13180, and its public inference code. A frame rate of at most 0.5
        gives a stride of zero there and fails; here it gives one. Start and end of a clip are
        cut by the Processor, which passes the facts of the clip alone.
    """

    def __init__(self, *, max_frames: int = 32) -> None:
        if max_frames < 1:
            raise SpecError(
                f"max_frames={max_frames} leaves no frame.",
                where="video_sampler/plm_uniform, option max_frames",
                expected="1 or more; the published models use 32",
                fix="set video_sampler.max_frames=32",
            )
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
