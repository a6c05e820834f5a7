"""FFmpeg through PyAV, whose wheels bring their own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from av.packet import Packet
from av.video.frame import PictureType, VideoFrame
from av.video.stream import VideoStream
from torch import Tensor

from plm_components.contracts.media import VideoFacts
from plm_components.video_readers.faults import broken, refuse_outside
from plm_components.video_readers.pyav_files import catching, open_video
from plm_components.video_readers.pyav_frames import rgb
from plm_components.video_readers.pyav_index import FrameIndex, Run, index_frames


class PyAVReader:
    """Exact frames by number.

    Frame ``n`` is the ``n``-th in order of presentation among those that can be decoded: what an
    edit list hides and what leads into a cut recording does not count. Rotation and mirroring of
    the container are applied; a frame of another size than the first is stretched to it.

    Unusual: the packets say where each frame is, so only the stretches that lead to a wanted
    frame are decoded, and in them only what other frames lean on.
    """

    def facts(self, path: Path) -> VideoFacts:
        """What the packets and the first frame say.

        Raises:
            MediaError: no file, no video, or one that is cut short or damaged.
        """
        index = index_frames(path)
        width, height = index.size
        return VideoFacts(
            num_frames=len(index.times),
            fps=len(index.times) / index.duration_s,
            duration_s=index.duration_s,
            pts_s=index.times,
            keyframe_indices=index.keyframes,
            width=width,
            height=height,
        )

    def read(self, path: Path, indices: Sequence[int]) -> Tensor:
        """uint8 RGB ``(F, 3, H, W)``, one frame an index; indices may repeat, in any order.

        Raises:
            MediaError: an index outside the file, or a frame that cannot be decoded.
        """
        index = index_frames(path)
        refuse_outside(path, indices, len(index.times))
        wanted = set(indices)
        found = _decode_runs(path, index, wanted) if index.number_of_pts else {}
        if len(found) < len(wanted):
            found = _decode_all(path, index, wanted)
        missing = sorted(wanted - set(found))
        if missing:
            raise broken(path, f"frame {missing[0]} of {len(index.times)} cannot be decoded")
        return torch.stack([found[number] for number in indices])


def _decode_runs(path: Path, index: FrameIndex, wanted: set[int]) -> dict[int, Tensor]:
    """The wanted frames; too few where a run turned out not to begin with a whole picture."""
    found: dict[int, Tensor] = {}
    with open_video(path) as (container, stream):
        packets = (packet for packet in container.demux(stream) if packet.size)
        frames = _run_frames(stream, packets, index.runs(wanted), index, wanted)
        for frame, run in catching(path, frames):
            if frame.pts == run.first_pts and frame.pict_type != PictureType.I:
                return {}
            number = index.number_of_pts.get(frame.pts or 0)
            if number in wanted:
                found[number] = rgb(frame, *index.size)
    return found


def _run_frames(
    stream: VideoStream,
    packets: Iterator[Packet[VideoStream]],
    runs: Sequence[Run],
    index: FrameIndex,
    wanted: set[int],
) -> Iterator[tuple[VideoFrame, Run]]:
    decoder = stream.codec_context
    left = list(reversed(runs))
    for place, packet in enumerate(packets):
        if not left:
            return
        run = left[-1]
        if place < run.start:
            continue
        is_wanted = index.number_of_pts.get(packet.pts or 0) in wanted
        decoder.skip_frame = "DEFAULT" if is_wanted or place == run.start else "NONREF"
        yield from ((frame, run) for frame in decoder.decode(packet))
        if place == run.end:
            yield from ((frame, run) for frame in decoder.decode(None))
            decoder.flush_buffers()
            left.pop()


def _decode_all(path: Path, index: FrameIndex, wanted: set[int]) -> dict[int, Tensor]:
    """The wanted frames, everything decoded from the first on."""
    found: dict[int, Tensor] = {}
    with open_video(path) as (container, stream):
        for count, frame in enumerate(catching(path, container.decode(stream))):
            number = index.number_of_pts.get(frame.pts or 0) if index.number_of_pts else count
            if number in wanted:
                found[number] = rgb(frame, *index.size)
            if len(found) == len(wanted):
                break
    return found
