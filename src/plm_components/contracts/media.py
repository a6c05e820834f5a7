"""What tilers, frame transforms, samplers and readers promise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol, TypeAlias, runtime_checkable

from PIL import Image
from torch import Tensor


@dataclass(frozen=True)
class TilePlan:
    """The tiles an image of some size becomes.

    Args:
        num_tiles: Tiles in all, a thumbnail included.
        columns: Tiles across the canvas.
        rows: Tiles down the canvas.
        thumbnail: Whether tile 0 is the whole image.
    """

    num_tiles: int
    columns: int
    rows: int
    thumbnail: bool


@dataclass(frozen=True)
class VideoFacts:
    """What is known of a video before a frame is chosen.

    Args:
        num_frames: Frames that can be decoded.
        fps: Average frames per second.
        duration_s: Length in seconds.
        pts_s: Presentation time of each frame in seconds, from the first frame's 0.0, increasing.
        keyframe_indices: Frames that decode alone.
        width: Pixels, as displayed (after rotation).
        height: Pixels, as displayed.
    """

    num_frames: int
    fps: float
    duration_s: float
    pts_s: tuple[float, ...]
    keyframe_indices: tuple[int, ...]
    width: int
    height: int


@dataclass(frozen=True)
class Sample:
    """Frames a sampler chose.

    Args:
        indices: Frame numbers, non-decreasing.
        timestamps: Their times in seconds, strictly increasing where the indices are.
    """

    indices: tuple[int, ...]
    timestamps: tuple[float, ...]


# peek(indices, side): decodes small frames, uint8 (F, 3, side, side), for samplers that look
Peek: TypeAlias = Callable[[Sequence[int], int], Tensor]


@runtime_checkable
class ImageTiler(Protocol):
    """One RGB image to uint8 tiles. Built with ``(tile_size)``."""

    __plm_kind__: ClassVar[str] = "image_tiler"

    tile_size: int

    def plan(self, width: int, height: int) -> TilePlan:
        """The tiles an image of this size becomes, without reading pixels."""
        ...

    def max_tiles_per_image(self) -> int:
        """The most tiles any image becomes, for budgets."""
        ...

    def __call__(self, image: Image.Image) -> Tensor:
        """PIL RGB -> uint8 ``(T, 3, S, S)``."""
        ...


@runtime_checkable
class FrameTransform(Protocol):
    """Video frames to uint8 tiles. Built with ``(tile_size)``."""

    __plm_kind__: ClassVar[str] = "frame_transform"

    tile_size: int

    def __call__(self, frames_F3HW: Tensor) -> Tensor:
        """uint8 ``(F, 3, H, W)`` -> uint8 ``(F, 3, S, S)``."""
        ...


@runtime_checkable
class VideoSampler(Protocol):
    """Which frames to look at."""

    __plm_kind__: ClassVar[str] = "video_sampler"

    def max_frames_per_video(self) -> int:
        """The most frames any video becomes, for budgets."""
        ...

    def sample(self, facts: VideoFacts, *, peek: Peek | None = None) -> Sample:
        """Frames and their times in seconds."""
        ...


@runtime_checkable
class VideoReader(Protocol):
    """Frames out of a file; every reader returns the same frames for the same indices."""

    __plm_kind__: ClassVar[str] = "video_reader"

    def facts(self, path: Path) -> VideoFacts:
        """MediaError where the file is no video that can be read."""
        ...

    def read(self, path: Path, indices: Sequence[int]) -> Tensor:
        """uint8 RGB ``(F, 3, H, W)``, one frame an index (indices may repeat)."""
        ...
