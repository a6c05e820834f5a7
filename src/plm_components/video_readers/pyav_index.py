"""Where every frame of a file is, from its packets alone where they can be trusted."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from plm_components.video_readers.faults import broken, refuse_missing
from plm_components.video_readers.pyav_files import catching, open_video
from plm_components.video_readers.pyav_frames import is_mirrored, upright_size

# codecs in which each packet becomes one frame; others are indexed by decoding them
_FRAME_PER_PACKET = frozenset(
    ("h264", "hevc", "vvc", "vp9", "av1", "mpeg4", "mjpeg", "prores", "ffv1", "dnxhd", "rawvideo")
)


@dataclass(frozen=True)
class Run:
    """Packets to decode in one go.

    Args:
        start: Place of the first in the file, a frame that decodes alone.
        end: Place of the last.
        first_pts: Presentation time of the first, in ticks.
    """

    start: int
    end: int
    first_pts: int


@dataclass(frozen=True)
class FrameIndex:
    """Frames in order of presentation.

    Args:
        times: Seconds from the first frame.
        duration_s: Until the last frame ends.
        keyframes: Numbers of the frames that decode alone.
        number_of_pts: Frame number of each presentation time; empty where packets could not be
            trusted and frames are known by counting.
        packet_pts: Presentation time of each packet, in file order.
        key_places: Places of the packets that decode alone.
        size: Width and height in pixels, as displayed.
        is_mirrored: Whether the container asks for a mirror image.
    """

    times: tuple[float, ...]
    duration_s: float
    keyframes: tuple[int, ...]
    number_of_pts: dict[int, int] = field(default_factory=dict)
    packet_pts: tuple[int | None, ...] = ()
    key_places: tuple[int, ...] = ()
    size: tuple[int, int] = (0, 0)
    is_mirrored: bool = False

    def runs(self, numbers: Iterable[int]) -> list[Run]:
        """The packets that lead to these frames, in file order, each packet at most once."""
        wanted = set(numbers)
        runs: list[Run] = []
        for place, pts in enumerate(self.packet_pts):
            if pts is None or self.number_of_pts.get(pts) not in wanted:
                continue
            start = self._start_for(place, pts)
            if runs and start <= runs[-1].end:
                start, pts_of_start = runs[-1].start, runs[-1].first_pts
                runs[-1] = Run(start, place, pts_of_start)
            else:
                runs.append(Run(start, place, self.packet_pts[start] or 0))
        return runs

    def _start_for(self, place: int, pts: int) -> int:
        """Place of the packet that decoding must begin with."""
        nearest = bisect_right(self.key_places, place) - 1
        start = self.key_places[nearest]
        leads_in = pts < (self.packet_pts[start] or 0)
        # shown before its key frame, so it leans on the group before it
        return self.key_places[nearest - 1] if leads_in and nearest > 0 else start


def index_frames(path: Path) -> FrameIndex:
    """The index of a file.

    Raises:
        MediaError: no file, no video, or one that is cut short.
    """
    refuse_missing(path)
    stat = path.stat()
    return _index_version(path, (stat.st_dev, stat.st_ino, stat.st_mtime_ns, stat.st_size))


@lru_cache(maxsize=32)
def _index_version(path: Path, version: tuple[int, ...]) -> FrameIndex:
    """``version`` tells a file from the one that stood there before."""
    with open_video(path) as (container, stream):
        codec = stream.codec_context.name
        packets = [_Packet.of(p) for p in catching(path, container.demux(stream)) if p.size]
        _refuse_cut(path, stream, sum(packet.is_whole for packet in packets))
        seconds = float(stream.time_base or 0)
        times_are_real = not stream.codec_context.has_b_frames or not _is_rising(packets)
    is_plain = codec in _FRAME_PER_PACKET and times_are_real
    index = _index_packets(packets, seconds) if is_plain else None
    shown_size, mirrored = _first_looks(path)
    return replace(index or _index_by_decoding(path), size=shown_size, is_mirrored=mirrored)


def _first_looks(path: Path) -> tuple[tuple[int, int], bool]:
    with open_video(path) as (container, stream):
        for frame in catching(path, container.decode(stream)):
            return upright_size(frame), is_mirrored(frame)
    raise broken(path, "no frame of it can be decoded")


@dataclass(frozen=True)
class _Packet:
    pts: int | None
    duration: int
    is_key: bool
    is_hidden: bool
    is_whole: bool

    @classmethod
    def of(cls, packet: Packet[VideoStream]) -> _Packet:
        is_key, is_hidden = packet.is_keyframe, packet.is_discard
        return cls(packet.pts, packet.duration or 0, is_key, is_hidden, not packet.is_corrupt)


def _is_rising(packets: Sequence[_Packet]) -> bool:
    """Whether packets are shown in file order: where frames lean on later ones, as in AVI, such
    times are those of decoding and tell nothing.
    """
    return all((a.pts or 0) < (b.pts or 0) for a, b in pairwise(packets))


def _index_packets(packets: Sequence[_Packet], seconds: float) -> FrameIndex | None:
    """From packets, or None where they do not tell their frames apart."""
    keys = [place for place, packet in enumerate(packets) if packet.is_key]
    if not keys or any(packet.pts is None for packet in packets):
        return None
    # what stands or is shown before the first key frame has lost what it leans on
    first_pts = packets[keys[0]].pts or 0
    shown = [
        (packet.pts or 0, packet)
        for packet in packets[keys[0] :]
        if not packet.is_hidden and (packet.pts or 0) >= first_pts
    ]
    shown.sort(key=lambda pair: pair[0])
    pts = [time for time, _ in shown]
    if not shown or seconds <= 0 or any(a == b for a, b in pairwise(pts)):
        return None
    times = tuple((time - pts[0]) * seconds for time in pts)
    return FrameIndex(
        times,
        _duration(times, shown[-1][1].duration * seconds),
        tuple(number for number, (_, packet) in enumerate(shown) if packet.is_key),
        {time: number for number, time in enumerate(pts)},
        tuple(packet.pts for packet in packets),
        tuple(keys),
    )


def _index_by_decoding(path: Path) -> FrameIndex:
    """By decoding every frame once, for files whose packets say too little."""
    with open_video(path) as (container, stream):
        rate = float(stream.average_rate or 25)
        frames = [_Shown.of(frame) for frame in catching(path, container.decode(stream))]
    if not frames:
        raise broken(path, "no frame of it can be decoded")
    known = [frame.time for frame in frames if frame.time is not None]
    if len(known) == len(frames) and all(a < b for a, b in pairwise(known)):
        times = tuple(time - known[0] for time in known)
    else:
        times = tuple(number / rate for number in range(len(frames)))
    keys = tuple(number for number, frame in enumerate(frames) if frame.is_key)
    return FrameIndex(times, _duration(times, 1 / rate), keys)


@dataclass(frozen=True)
class _Shown:
    time: float | None
    is_key: bool

    @classmethod
    def of(cls, frame: VideoFrame) -> _Shown:
        return cls(frame.time, bool(frame.key_frame))


def _duration(times: Sequence[float], last: float) -> float:
    """Until the last frame ends; it lasts as long as the average one where nothing says so."""
    average = times[-1] / (len(times) - 1) if len(times) > 1 else 1.0
    return times[-1] + (last if last > 0 else average)


def _refuse_cut(path: Path, stream: VideoStream, num_packets: int) -> None:
    """Raises MediaError where the container announces more than the file holds."""
    if num_packets == 0:
        raise broken(path, "its video stream is empty")
    # other containers announce frames that were left out on purpose, or none
    if "mp4" in stream.container.format.name and num_packets < stream.frames:
        raise broken(path, f"it is cut short, {num_packets} of {stream.frames} frames are there")
