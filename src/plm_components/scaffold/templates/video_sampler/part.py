"""The middle frame of each of as many equal stretches."""

from __future__ import annotations

from typing import ClassVar

from plm_components.contracts import Peek, Sample, VideoFacts
from plm_components.errors import SpecError


class MyPart:
    """Cuts the video into ``max_frames`` stretches of equally many frames; the middle of each.

    Neither the first nor the last frame is favoured, which are often black.

    Args:
        max_frames: The most frames a video becomes; a shorter video gives all of its frames.

    Raises:
        SpecError: no frame at all.

    Source:
        Temporal Segment Networks, arXiv 1608.00859, section 3.1, without chance.
    """

    __plm_kind__: ClassVar[str] = "video_sampler"

    def __init__(self, *, max_frames: int = 8) -> None:
        if max_frames < 1:
            raise SpecError(
                f"max_frames={max_frames} leaves no frame.",
                where="video_sampler/my_part, option max_frames",
                expected="a whole number of at least 1",
                fix="set video_sampler.max_frames=8",
            )
        self.max_frames = max_frames

    def max_frames_per_video(self) -> int:
        """``max_frames``."""
        return self.max_frames

    def sample(self, facts: VideoFacts, *, peek: Peek | None = None) -> Sample:
        """Frames and their times in seconds; ``peek`` is not used."""
        count = min(self.max_frames, facts.num_frames)
        # whole numbers: no rounding to argue about
        indices = tuple((2 * n + 1) * facts.num_frames // (2 * count) for n in range(count))
        return Sample(indices, tuple(facts.pts_s[index] for index in indices))
