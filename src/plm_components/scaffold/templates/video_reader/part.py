"""PyAV's frames, the last ones remembered: looking twice decodes once."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, TypeAlias

import torch
from plm_components.contracts import VideoFacts
from plm_components.errors import SpecError
from plm_components.video_readers.pyav import PyAVReader
from torch import Tensor

_Frame: TypeAlias = tuple[str, int, int, int]


class MyPart:
    """Keeps decoded frames, so that a sampler that looks and a second question cost nothing.

    A file that was written anew is another file: its size and time are part of what is remembered.

    Args:
        max_frames: Frames kept; the one that was asked for longest ago goes first.

    Raises:
        SpecError: a negative number of frames.
    """

    __plm_kind__: ClassVar[str] = "video_reader"

    def __init__(self, *, max_frames: int = 64) -> None:
        if max_frames < 0:
            raise SpecError(
                f"max_frames={max_frames} cannot be kept.",
                where="video_reader/my_part, option max_frames",
                expected="a whole number of at least 0",
                fix="set video_reader.max_frames=64",
            )
        self.max_frames = max_frames
        self._reader = PyAVReader()
        self._kept: OrderedDict[_Frame, Tensor] = OrderedDict()

    def facts(self, path: Path) -> VideoFacts:
        """What the packets and the first frame say."""
        return self._reader.facts(path)

    def read(self, path: Path, indices: Sequence[int]) -> Tensor:
        """uint8 RGB ``(F, 3, H, W)``, one frame an index; indices may repeat, in any order.

        Raises:
            MediaError: an index outside the file, or a frame that cannot be decoded.
        """
        names = {index: _name(path, index) for index in indices}
        missing = [index for index, name in names.items() if name not in self._kept]
        # an empty request and a file that is gone are the reader's to judge
        decoded = self._reader.read(path, missing) if missing or not names else ()
        found = dict(zip((names[index] for index in missing), decoded, strict=True))
        for name in names.values():
            # a copy: a frame must not hold the memory of those it was decoded with
            self._kept[name] = found[name].clone() if name in found else self._kept.pop(name)
        frames_F3HW = torch.stack([self._kept[names[index]] for index in indices])
        while len(self._kept) > self.max_frames:
            self._kept.popitem(last=False)
        return frames_F3HW


def _name(path: Path, index: int) -> _Frame:
    try:
        state = os.stat(path)
    except OSError:  # the reader says what is wrong with it
        return str(path), 0, 0, index
    return str(path), state.st_mtime_ns, state.st_size, index
