"""What video readers promise: the frames of a plain decode, in whatever order they are asked."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch

from plm_components.errors import MediaError
from plm_components.testing.checks.clips import Clip, broken_files, clips
from plm_components.testing.outcome import Broken, expect
from plm_components.testing.roster import check
from plm_components.testing.subject import Subject


@check("video_reader")
def facts_are_true(subject: Subject) -> None:
    """Frame count, size, times from 0.0 and key frames are those of a plain decode."""
    part = subject.build()
    for clip in clips():
        facts = part.facts(clip.path)
        count, height, width = clip.frames.shape[0], *clip.frames.shape[2:]
        expect(facts.num_frames == count, f"{clip.name}: {facts.num_frames} frames of {count}")
        size = (facts.width, facts.height)
        expect(size == (width, height), f"{clip.name}: {size}, not {(width, height)}")
        right = len(facts.pts_s) == count and facts.pts_s[0] == 0.0
        expect(right, f"{clip.name}: {len(facts.pts_s)} times from {facts.pts_s[:1]}")
        late = max(abs(a - b) for a, b in zip(facts.pts_s, clip.times, strict=True))
        expect(late < 1e-3, f"{clip.name}: a time is off by {late:.3g} s")
        keys = facts.keyframe_indices
        expect(
            0 in keys and max(keys) < count and list(keys) == sorted(set(keys)),
            f"{clip.name}: key frames {keys} of {count}",
        )


@check("video_reader")
def frames_equal(subject: Subject) -> None:
    """Every index gives the frame a plain decode in order gives, uint8 RGB."""
    part = subject.build()
    for clip in clips():
        for indices in ([0], list(range(len(clip.frames))), list(range(0, len(clip.frames), 3))):
            _expect_frames(part, clip, indices)


@check("video_reader")
def any_order(subject: Subject) -> None:
    """Indices may repeat and need not be sorted."""
    part, clip = subject.build(), clips()[0]
    for indices in ([5, 5, 5], [17, 3, 11], [0, 23, 0], [23]):
        _expect_frames(part, clip, indices)


@check("video_reader")
def refuses_no_frame(subject: Subject) -> None:
    """A frame number the video does not have is a MediaError."""
    part, clip = subject.build(), clips()[0]
    for index in (24, 1000, -1):
        _expect_media_error(partial(part.read, clip.path, [0, index]), f"frame {index} of 24")


@check("video_reader")
def refuses_no_video(subject: Subject) -> None:
    """A file that is empty, text, cut short, sound only or absent is a MediaError."""
    part = subject.build()
    for name, path in broken_files():
        _expect_media_error(partial(part.facts, path), f"facts of a file that is {name}")


def _expect_frames(part: Any, clip: Clip, indices: list[int]) -> None:
    got, want = part.read(clip.path, indices), clip.frames[indices]
    right = tuple(got.shape) == tuple(want.shape) and got.dtype == torch.uint8
    expect(
        right, f"{clip.name}, {indices}: {tuple(got.shape)} {got.dtype}, not {tuple(want.shape)}"
    )
    off_F = (got.int() - want.int()).abs().flatten(1).amax(1)
    # two grey levels: colour conversion may round differently, a wrong frame is far off
    wrong = [index for index, off in zip(indices, off_F.tolist(), strict=True) if off > 2]
    expect(
        not wrong, f"{clip.name}, asked {indices}: frames {wrong} are others, off by {off_F.max()}"
    )


def _expect_media_error(call: Any, what: str) -> None:
    try:
        call()
    except MediaError:
        return
    except Exception as error:
        raise Broken(f"{what} raises {type(error).__name__}, not MediaError: {error}") from error
    raise Broken(f"{what} is taken")
