"""Opening a video through PyAV, and FFmpeg's errors as ours."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import av
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from plm_components.errors import MediaError
from plm_components.video_readers.faults import broken, refuse_missing

_Item = TypeVar("_Item")

# a playlist or a subtitle must not make FFmpeg open other files or the network
_OPTIONS = {"protocol_whitelist": "file"}


@contextmanager
def open_video(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """The file and its first video stream.

    Raises:
        MediaError: no file, or no video in it.
    """
    refuse_missing(path)
    try:
        # "file:" keeps a name such as "concat:a|b" a name
        container = av.open(f"file:{path}", options=_OPTIONS, metadata_errors="replace")
    except (av.FFmpegError, OSError, ValueError) as error:
        raise broken(path, reason(error)) from error
    with container:
        yield container, _video_stream(container, path)


def catching(path: Path, items: Iterable[_Item]) -> Iterator[_Item]:
    """The items; what FFmpeg raises on the way becomes a MediaError."""
    try:
        yield from items
    except (av.FFmpegError, OSError, ValueError) as error:
        if isinstance(error, MediaError):
            raise
        raise broken(path, reason(error)) from error


def reason(error: Exception) -> str:
    """FFmpeg's words for what happened, as the end of a sentence."""
    words = getattr(error, "strerror", None) or str(error)
    return words[:1].lower() + words[1:]


def _video_stream(container: InputContainer, path: Path) -> VideoStream:
    name = container.format.name
    if name.endswith("_pipe") or name == "image2":
        raise MediaError(
            "An image was given as a video.",
            where=str(path),
            expected="a video file",
            fix="pass it as an image",
        )
    # FFmpeg would show a text file as a terminal does
    videos = [] if name == "tty" else container.streams.video
    for stream in videos:
        # the cover picture of a song is a video stream of one frame
        if stream.disposition & Disposition.attached_pic:
            continue
        # typed as always there, and None where FFmpeg has no decoder
        if getattr(stream, "codec_context", None) is None:
            raise broken(path, "FFmpeg has no decoder for it")
        return stream
    raise broken(path, "there is no video in it")
