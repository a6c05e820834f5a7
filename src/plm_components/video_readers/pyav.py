"""FFmpeg through PyAV, whose wheels bring their own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import av
import numpy as np
import torch
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from torch import Tensor

from plm_components.contracts.media import VideoFacts
from plm_components.errors import MediaError


class PyAVReader:
    """Exact frames by number, in one pass over the file."""

    def facts(self, path: Path) -> VideoFacts:
        """What the packets and the first frame say."""
        with _open(path) as container:
            stream = _video_stream(container, path)
            pts: list[int] = []
            keys: list[int] = []
            for packet in container.demux(stream):
                if packet.size and packet.pts is not None and not packet.is_discard:
                    pts.append(packet.pts)
                    if packet.is_keyframe:
                        keys.append(packet.pts)
            time_base = float(stream.time_base or 0)
        pts.sort()
        times = tuple((t - pts[0]) * time_base for t in pts)
        with _open(path) as container:
            first = next(_frames(container, path), None)
        if first is None or not pts:
            raise _broken(path, "no frame of it can be decoded")
        width, height = first.width, first.height
        if first.rotation % 180:
            width, height = height, width
        place = {t: n for n, t in enumerate(pts)}
        fps = (len(pts) - 1) / times[-1] if times[-1] > 0 else 1.0
        return VideoFacts(
            num_frames=len(pts),
            fps=fps,
            duration_s=times[-1] + 1 / fps,
            pts_s=times,
            keyframe_indices=tuple(sorted(place[t] for t in keys)),
            width=width,
            height=height,
        )

    def read(self, path: Path, indices: Sequence[int]) -> Tensor:
        """uint8 RGB ``(F, 3, H, W)``."""
        wanted = set(indices)
        found: dict[int, Tensor] = {}
        with _open(path) as container:
            for number, frame in enumerate(_frames(container, path)):
                if number in wanted:
                    found[number] = _rgb(frame)
                if len(found) == len(wanted):
                    break
        missing = sorted(wanted - set(found))
        if missing:
            raise _broken(path, f"frame {missing[0]} cannot be decoded")
        return torch.stack([found[index] for index in indices])


def _rgb(frame: VideoFrame) -> Tensor:
    pixels_HW3 = frame.to_ndarray(format="rgb24")
    turns = frame.rotation // 90
    if turns:
        pixels_HW3 = np.rot90(pixels_HW3, turns)
    return torch.from_numpy(np.ascontiguousarray(pixels_HW3)).permute(2, 0, 1).contiguous()


def _open(path: Path) -> InputContainer:
    try:
        return av.open(str(path))
    except (av.FFmpegError, OSError) as error:
        raise _broken(path, str(error)) from error


def _video_stream(container: InputContainer, path: Path) -> VideoStream:
    if not container.streams.video:
        raise _broken(path, "it holds no video stream")
    return container.streams.video[0]


def _frames(container: InputContainer, path: Path) -> Iterator[VideoFrame]:
    try:
        yield from container.decode(_video_stream(container, path))
    except (av.FFmpegError, OSError) as error:
        raise _broken(path, str(error)) from error


def _broken(path: Path, why: str) -> MediaError:
    return MediaError(
        f"The video cannot be read: {why}.",
        where=str(path),
        expected="a video file that FFmpeg can decode",
        fix="play or re-encode the file: ffmpeg -i FILE -c:v libx264 out.mp4",
    )
