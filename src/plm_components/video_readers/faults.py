"""What every reader says of a file it cannot read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from plm_components.errors import MediaError


def broken(path: Path, why: str) -> MediaError:
    """The error for a file that cannot be read.

    Args:
        path: The file.
        why: Clause that ends the sentence.
    """
    return MediaError(
        f"The video cannot be read: {why}.",
        where=str(path),
        expected="a video file that FFmpeg can decode: mp4, webm, mkv, mov, avi, …",
        fix="play it to see whether it is whole; if so, re-encode it: ffmpeg -i FILE out.mp4"
        if path.is_file()
        else "check the path",
    )


def refuse_missing(path: Path) -> None:
    """Raises MediaError where there is no file with something in it."""
    if not path.exists():
        raise broken(path, "there is no such file")
    if not path.is_file():
        raise broken(path, "it is a directory" if path.is_dir() else "it is no regular file")
    if path.stat().st_size == 0:
        raise broken(path, "the file is empty")


def refuse_outside(path: Path, indices: Sequence[int], num_frames: int) -> None:
    """Raises MediaError where an index is not a frame of the file, or there is none."""
    outside = [index for index in indices if not 0 <= index < num_frames]
    if indices and not outside:
        return
    what = f"Frame {outside[0]} was asked for" if outside else "No frame was asked for"
    raise MediaError(
        f"{what}, and the video has {num_frames}.",
        where=str(path),
        expected=f"frames within 0..{num_frames - 1}, at least one",
        fix="choose frames by the facts of this very file",
    )
