"""Looks at small frames first, keeps one of every scene, and spreads the rest."""

from __future__ import annotations

from plm_components.contracts import Peek, Sample, VideoFacts
from plm_components.errors import SpecError, UnsupportedError
from plm_scene_sampler.colors import BLOCKS, color_distances
from plm_scene_sampler.filling import fill

_ADDRESS = "video_sampler/scene_change"


class SceneChangeSampler:
    """A frame of every scene first; the rest of ``max_frames`` as far from those as can be.

    Even sampling misses a shot that is shorter than its step. Here up to ``candidates`` evenly
    spaced frames are decoded at ``side`` pixels; where the colours of two neighbours differ by more
    than ``threshold``, a scene ends. Of each scene the middle candidate is kept, clear of fades at
    its edges. What is left of ``max_frames`` goes, one by one, to the frame that is farthest in
    time from all chosen ones, so a video of a single scene is sampled evenly.

    Scenes shorter than ``duration / candidates`` may still be missed. With more scenes than
    ``max_frames``, the weakest cuts are forgotten.

    Args:
        max_frames: The most frames a video becomes; a shorter video gives all of its frames.
        candidates: The most frames that are looked at; they are decoded besides those returned.
        threshold: Distance of colours that ends a scene, 0 (the same) to 1 (none in common).
        side: Pixels of the small frames that are looked at, even.

    Raises:
        SpecError: an option is out of its range.
        UnsupportedError: it may not look (``peek`` is None).

    Source:
        Histogram comparison: Zhang, Kankanhalli and Smoliar, Automatic partitioning of full-motion
        video, 1993; over blocks: Nagasaka and Tanaka, 1991. Filling: Gonzalez 1985.
    """

    def __init__(
        self,
        *,
        max_frames: int = 32,
        candidates: int = 128,
        threshold: float = 0.3,
        side: int = 32,
    ) -> None:
        if max_frames < 1 or candidates < 1 or not 0 <= threshold <= 1:
            raise _refused(
                f"max_frames={max_frames}, candidates={candidates}, threshold={threshold}",
                "max_frames and candidates of at least 1, threshold from 0 to 1",
                "set video_sampler.max_frames=32, candidates=128 and threshold=0.3",
            )
        if side < BLOCKS or side % BLOCKS:
            raise _refused(f"side={side}", "an even number of pixels", "set video_sampler.side=32")
        self.max_frames, self.candidates = max_frames, candidates
        self.threshold, self.side = threshold, side

    def max_frames_per_video(self) -> int:
        """``max_frames``."""
        return self.max_frames

    def sample(self, facts: VideoFacts, *, peek: Peek | None = None) -> Sample:
        """Frames and their times; looks at up to ``candidates`` small frames."""
        if peek is None:
            raise UnsupportedError(
                f"{_ADDRESS} cannot choose frames without looking.",
                where=f"{_ADDRESS}, sample",
                expected="peek, which decodes small frames",
                fix="pass peek, or set video_sampler=plm_uniform, which needs none",
            )
        looked_at = _evenly(facts.num_frames, min(self.candidates, facts.num_frames))
        # small frames may lie on any device a reader decodes on
        distances = color_distances(peek(looked_at, self.side).cpu())
        scenes = _scenes(len(looked_at), distances, self.threshold, self.max_frames)
        kept = [looked_at[(first + last) // 2] for first, last in scenes]
        indices = fill(facts.pts_s, kept, self.max_frames)
        return Sample(tuple(indices), tuple(facts.pts_s[index] for index in indices))


def _evenly(length: int, count: int) -> list[int]:
    """``count`` different places over ``0..length - 1``, in whole numbers: no rounding to argue."""
    return [place * length // count for place in range(count)]


def _scenes(
    length: int, distances: list[float], threshold: float, most: int
) -> list[tuple[int, int]]:
    """First and last candidate of each scene; the strongest cuts where there are too many."""
    cuts = [place for place, distance in enumerate(distances) if distance > threshold]
    strongest = sorted(cuts, key=lambda place: (-distances[place], place))[: most - 1]
    ends = [*sorted(strongest), length - 1]
    starts = [0, *(end + 1 for end in ends[:-1])]
    return list(zip(starts, ends, strict=True))


def _refused(said: str, expected: str, fix: str) -> SpecError:
    return SpecError(
        f"{said} leaves nothing to look at.", where=_ADDRESS, expected=expected, fix=fix
    )
