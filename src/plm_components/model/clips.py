"""A stretch of a video, seen as a video of its own."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from pathlib import Path

from plm_components.contracts.media import VideoFacts
from plm_components.errors import MediaError
from plm_components.model.messages import ClipRule


@dataclass(frozen=True)
class Clip:
    """Some frames of a file.

    Args:
        facts: Of the stretch alone: frame 0 is its first, at 0.0 s.
        first: Number of that frame in the file.
        start_s: Time of that frame in the file.
    """

    facts: VideoFacts
    first: int
    start_s: float


# presentation times are sums of fractions: 0.29 s may stand as 0.29000000000000004
_TOLERANCE_S = 1e-6


def cut_clip(
    path: Path,
    facts: VideoFacts,
    start_s: float | None = None,
    end_s: float | None = None,
    *,
    rule: ClipRule = "exact",
) -> Clip:
    """The stretch between two times.

    A time becomes the frame that is shown then; both ends are included, and an end behind the
    file is the last frame. Samplers see the stretch only, so their rules need no start and end of
    their own.

    Args:
        path: Named by errors.
        facts: Of the whole file.
        start_s: None for the first frame.
        end_s: None for the last frame.
        rule: ``published`` takes frame ``int(seconds * fps)``, with the average frame rate, and
            swaps reversed times. At a constant rate both rules give the same frames, but for
            products that floats round down (0.29 s at 100 frames a second is frame 28 there).

    Raises:
        MediaError: the stretch starts behind the last frame, or ends before it starts.

    Source:
        PerceptionLM's public inference code. Start and end in one frame make a clip of two
        there, which may leave the file; here it stays inside.
    """
    last = facts.num_frames - 1
    if start_s is not None and end_s is not None and end_s <= start_s:
        if rule == "exact":
            raise _reversed(path, start_s, end_s)
        start_s, end_s = end_s, start_s
    first = 0 if start_s is None else _frame_at(start_s, facts, rule)
    if first > last:
        raise MediaError(
            f"The clip starts at {start_s:g} s, and the video lasts {facts.duration_s:.2f} s.",
            where=str(path),
            expected=f"start_s below {facts.duration_s:.2f}",
            fix="pass an earlier start_s",
        )
    end = last if end_s is None else min(_frame_at(end_s, facts, rule), last)
    if end == first:
        end = min(first + 1, last)
    return Clip(_cut(facts, first, end), first, facts.pts_s[first])


def _frame_at(time_s: float, facts: VideoFacts, rule: ClipRule) -> int:
    """Number of the frame shown at a time; ``num_frames`` or more behind the end."""
    if rule == "published":
        return int(time_s * facts.fps)
    if time_s >= facts.duration_s:
        return facts.num_frames
    return max(bisect_right(facts.pts_s, time_s + _TOLERANCE_S) - 1, 0)


def _reversed(path: Path, start_s: float, end_s: float) -> MediaError:
    return MediaError(
        f"The clip ends at {end_s:g} s and starts at {start_s:g} s.",
        where=str(path),
        expected="start_s below end_s",
        fix="exchange them, or leave one out",
    )


def _cut(facts: VideoFacts, first: int, end: int) -> VideoFacts:
    start_s = facts.pts_s[first]
    is_whole_tail = end == facts.num_frames - 1
    stop_s = facts.duration_s if is_whole_tail else facts.pts_s[end + 1]
    return VideoFacts(
        num_frames=end - first + 1,
        fps=facts.fps,
        duration_s=stop_s - start_s,
        pts_s=tuple(time - start_s for time in facts.pts_s[first : end + 1]),
        keyframe_indices=tuple(k - first for k in facts.keyframe_indices if first <= k <= end),
        width=facts.width,
        height=facts.height,
    )
