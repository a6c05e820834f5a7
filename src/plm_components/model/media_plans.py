"""What each medium of a conversation will become, known before a pixel is read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from plm_components.contracts.media import (
    FrameTransform,
    ImageTiler,
    Peek,
    Sample,
    VideoReader,
    VideoSampler,
)
from plm_components.contracts.text import MediaKind
from plm_components.errors import ContractError, UnsupportedError
from plm_components.image_tilers.resize import Resizer
from plm_components.image_tilers.single import SingleTiler
from plm_components.model.boxes import check_boxes, draw_boxes
from plm_components.model.clips import Clip, cut_clip
from plm_components.model.images import image_size, read_image
from plm_components.model.messages import ImagePart, ImageSource, VideoPart

# frames held at their native size at a time
_FRAMES_AT_ONCE = 64


@dataclass(frozen=True)
class PlannedMedium:
    """One image or video, counted but not read.

    Args:
        kind: Image or video.
        num_tiles: Tiles or frames it becomes.
        read: Reads them, uint8 ``(num_tiles, 3, S, S)``.
        timestamps: Times of the frames in seconds of the file; empty for an image.
        frame_indices: Their numbers in the file; empty for an image.
    """

    kind: MediaKind
    num_tiles: int
    read: Callable[[], Tensor]
    timestamps: tuple[float, ...] = ()
    frame_indices: tuple[int, ...] = ()


@dataclass(frozen=True)
class MediaPlanner:
    """Plans media with the parts of a variant; None where it has none.

    Args:
        image_tiler: Images to tiles.
        frame_transform: Frames to tiles.
        video_sampler: Chooses frames.
        video_reader: Reads them.
    """

    image_tiler: ImageTiler | None = None
    frame_transform: FrameTransform | None = None
    video_sampler: VideoSampler | None = None
    video_reader: VideoReader | None = None

    def plan(self, part: ImagePart | VideoPart, where: str, *, one_tile: bool) -> PlannedMedium:
        """What a medium becomes.

        Args:
            part: The medium.
            where: Its place in the conversation, for errors.
            one_tile: Give an image one tile, whatever the tiler would.

        Raises:
            UnsupportedError: a slot this kind of medium needs is empty.
            MediaError: a file that cannot be read.
            ContractError: a sampler that breaks its promise.
        """
        if isinstance(part, ImagePart):
            return self._plan_image(part.image, where, one_tile=one_tile)
        return self._plan_video(part, where)

    def _plan_image(self, source: ImageSource, where: str, *, one_tile: bool) -> PlannedMedium:
        if self.image_tiler is None:
            raise _no_part("image", ["image_tiler"], where)
        tiler = _single(self.image_tiler) if one_tile else self.image_tiler
        plan = tiler.plan(*image_size(source))
        return PlannedMedium("image", plan.num_tiles, lambda: tiler(read_image(source)))

    def _plan_video(self, part: VideoPart, where: str) -> PlannedMedium:
        reader, sampler, transform = self.video_reader, self.video_sampler, self.frame_transform
        if reader is None or sampler is None or transform is None:
            slots = ("frame_transform", "video_sampler", "video_reader")
            raise _no_part("video", [slot for slot in slots if getattr(self, slot) is None], where)
        facts = reader.facts(part.video)
        clip = cut_clip(part.video, facts, part.start_s, part.end_s, rule=part.clip_rule)
        sample = sampler.sample(clip.facts, peek=_peek_into(reader, part.video, clip.first))
        _check_sample(sample, clip, sampler)
        check_boxes(part.boxes, facts, part.video)
        indices = tuple(clip.first + index for index in sample.indices)

        def read() -> Tensor:
            chunks = ((reader.read(part.video, chunk), chunk) for chunk in _chunks(indices))
            boxed = (draw_boxes(frames_F3HW, chunk, part.boxes) for frames_F3HW, chunk in chunks)
            return torch.cat([transform(frames_F3HW) for frames_F3HW in boxed])

        timestamps = tuple(clip.start_s + time for time in sample.timestamps)
        return PlannedMedium("video", len(indices), read, timestamps, indices)


def _single(tiler: ImageTiler) -> SingleTiler:
    """One tile an image, resized as the tiler resizes where it says how."""
    said: Any = getattr(tiler, "resize", "pil")
    resize: Resizer = said if said in get_args(Resizer) else "pil"
    return SingleTiler(tiler.tile_size, resize=resize)


def _peek_into(reader: VideoReader, path: Path, first: int) -> Peek:
    def peek(indices: Sequence[int], side: int) -> Tensor:
        chunks = _chunks(tuple(first + index for index in indices))
        return torch.cat([_shrink(reader.read(path, chunk), side) for chunk in chunks])

    return peek


def _shrink(frames_F3HW: Tensor, side: int) -> Tensor:
    small = interpolate(frames_F3HW.float(), (side, side), mode="bilinear", antialias=True)
    return small.round_().to(torch.uint8)


def _chunks(indices: tuple[int, ...]) -> list[tuple[int, ...]]:
    starts = range(0, len(indices), _FRAMES_AT_ONCE)
    return [indices[start : start + _FRAMES_AT_ONCE] for start in starts]


def _no_part(kind: str, slots: Sequence[str], where: str) -> UnsupportedError:
    names = ", ".join(slots)
    return UnsupportedError(
        f"This variant takes no {kind}: it has no {names}.",
        where=where,
        expected=f"a conversation without a {kind}",
        fix=f"take the {kind} out, or give the spec: {names}",
    )


def _check_sample(sample: Sample, clip: Clip, sampler: VideoSampler) -> None:
    indices, times = sample.indices, sample.timestamps
    in_order = all(a <= b for a, b in pairwise(indices))
    inside = all(0 <= index < clip.facts.num_frames for index in indices)
    few_enough = 0 < len(indices) <= sampler.max_frames_per_video()
    if in_order and inside and few_enough and len(times) == len(indices):
        _check_times(sample, sampler)
        return
    raise ContractError(
        f"The sampler chose frames {list(indices)} at {len(times)} times.",
        where=f"video_sampler {type(sampler).__name__}",
        expected=f"1 to {sampler.max_frames_per_video()} frames in order, each within "
        f"0..{clip.facts.num_frames - 1} and with its time",
        fix="mend the sampler: its contract stands in plm_components.contracts.media",
    )


def _check_times(sample: Sample, sampler: VideoSampler) -> None:
    chosen = zip(sample.indices, sample.timestamps, strict=True)
    if all(a == b or at < then for (a, at), (b, then) in pairwise(chosen)):
        return
    raise ContractError(
        f"The sampler gave frames {list(sample.indices)} the times {list(sample.timestamps)}.",
        where=f"video_sampler {type(sampler).__name__}",
        expected="times that rise from each frame to a later one",
        fix="mend the sampler: its contract stands in plm_components.contracts.media",
    )
