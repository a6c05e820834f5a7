"""What video samplers promise: frames that exist, in order, few enough, with their own times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from plm_components.contracts import Sample, VideoFacts, VideoSampler
from plm_components.errors import UnsupportedError
from plm_components.testing.outcome import Broken, NotApplicable, expect
from plm_components.testing.roster import check
from plm_components.testing.subject import Subject


def _facts(num_frames: int, fps: float, *, jitter: bool = False, every: int = 12) -> VideoFacts:
    """A video of steady rate, or one whose frames come in pairs."""
    shift = [0.4 / fps if jitter and n % 2 else 0.0 for n in range(num_frames)]
    pts = tuple(n / fps + late for n, late in enumerate(shift))
    keys = tuple(range(0, num_frames, every))
    return VideoFacts(num_frames, fps, pts[-1] + 1 / fps, pts, keys, 64, 48)


# one frame, two, short, an hour; slow, film, NTSC, fast; unsteady; a single key frame
VIDEOS = (
    _facts(1, 25.0),
    _facts(2, 1.0),
    _facts(24, 8.0),
    _facts(100, 24000 / 1001),
    _facts(300, 30.0),
    _facts(301, 29.97, jitter=True),
    _facts(64, 0.2),
    _facts(90, 120.0, every=1000),
    _facts(3600 * 24, 24.0, every=240),
)


@check("video_sampler")
def indices_exist(subject: Subject) -> None:
    """Frame numbers are whole, within the video, in order, at least one."""
    for facts, sample in _samples(subject):
        indices = sample.indices
        expect(bool(indices), f"{_where(facts)}: no frame at all")
        whole = all(isinstance(index, int) for index in indices)
        expect(whole, f"{_where(facts)}: an index that is no int among {indices[:5]}")
        inside = min(indices) >= 0 and max(indices) < facts.num_frames
        expect(inside, f"{_where(facts)}: {min(indices)}..{max(indices)}")
        expect(list(indices) == sorted(indices), f"{_where(facts)}: {indices} is not in order")


@check("video_sampler")
def count_within_maximum(subject: Subject) -> None:
    """Never more frames than max_frames_per_video."""
    most = subject.build().max_frames_per_video()
    for facts, sample in _samples(subject):
        count = len(sample.indices)
        expect(count <= most, f"{_where(facts)}: {count} frames, max_frames_per_video says {most}")


@check("video_sampler")
def timestamps_are_pts(subject: Subject) -> None:
    """Each timestamp is its frame's presentation time in seconds, increasing with the index."""
    for facts, sample in _samples(subject):
        expect(
            len(sample.timestamps) == len(sample.indices),
            f"{_where(facts)}: {len(sample.timestamps)} times for {len(sample.indices)} frames",
        )
        for index, time in zip(sample.indices, sample.timestamps, strict=True):
            if not 0 <= index < facts.num_frames:
                continue  # indices_exist says so
            want = facts.pts_s[index]
            expect(
                abs(time - want) < 1e-6, f"{_where(facts)}: frame {index} at {time} s, not {want} s"
            )


@check("video_sampler")
def deterministic(subject: Subject) -> None:
    """The same video gives the same frames."""
    for (facts, first), (_, second) in zip(_samples(subject), _samples(subject), strict=True):
        expect(first == second, f"{_where(facts)}: two runs differ")


@check("video_sampler")
def works_or_refuses_blind(subject: Subject) -> None:
    """Without peek it chooses, or says with UnsupportedError that it must look."""
    part = subject.build()
    try:
        sample = part.sample(VIDEOS[2])
    except UnsupportedError as refusal:
        raise NotApplicable(f"must look: {refusal.what}") from refusal
    expect(bool(sample.indices), "chooses no frame")


@dataclass
class Eye:
    """A peek that decodes nothing: a bar that moves, and every request remembered.

    Args:
        facts: The video.
        requests: Frame numbers asked so far.
    """

    facts: VideoFacts
    requests: list[int] = field(default_factory=list)

    def __call__(self, indices: Sequence[int], side: int) -> Tensor:
        """uint8 ``(F, 3, side, side)``."""
        for index in indices:
            if not 0 <= index < self.facts.num_frames:
                raise Broken(f"peeks at frame {index} of {self.facts.num_frames}")
        self.requests.extend(indices)
        frames = torch.zeros(len(indices), 3, side, side, dtype=torch.uint8)
        for frame, index in zip(frames, indices, strict=True):
            frame[:, :, (index // 4) % side] = 255
        return frames


def _samples(subject: Subject) -> list[tuple[VideoFacts, Sample]]:
    part: VideoSampler = subject.build()
    return [(facts, part.sample(facts, peek=Eye(facts))) for facts in VIDEOS]


def _where(facts: VideoFacts) -> str:
    return f"{facts.num_frames} frames at {facts.fps:.4g} fps"
