"""The frames that decode alone: cheap to read, and many encoders put them at cuts."""

from __future__ import annotations

from plm_components.contracts.media import Peek, Sample, VideoFacts
from plm_components.errors import SpecError
from plm_components.video_samplers.spread import spread


class KeyframesSampler:
    """Every key frame; more than ``max_frames`` are thinned evenly.

    A clip without a key frame of its own gives its first frame.

    Args:
        max_frames: The most frames a video becomes.

    Raises:
        SpecError: ``max_frames`` below 1.
    """

    def __init__(self, *, max_frames: int = 32) -> None:
        if max_frames < 1:
            raise SpecError(
                f"max_frames={max_frames} leaves no frame.",
                where="video_sampler/keyframes, option max_frames",
                expected="1 or more",
                fix="set video_sampler.max_frames=32",
            )
        self.max_frames = max_frames

    def max_frames_per_video(self) -> int:
        """``max_frames``."""
        return self.max_frames

    def sample(self, facts: VideoFacts, *, peek: Peek | None = None) -> Sample:
        """Frames and their times; ``peek`` is not used."""
        keys = facts.keyframe_indices or (0,)
        places = spread(len(keys), min(self.max_frames, len(keys)))
        indices = tuple(keys[place] for place in places)
        return Sample(indices, tuple(facts.pts_s[index] for index in indices))
