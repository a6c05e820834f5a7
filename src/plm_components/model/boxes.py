"""Boxes on the frames of a video, drawn before anything is resized.

A mapping from a frame's number in the file to ``[x1, y1, x2, y2]`` in pixels of the frame as it is
displayed, or to None where the region is not seen; PerceptionLM's records call it ``bbox_map``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias, cast

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from plm_components.contracts.media import VideoFacts
from plm_components.errors import MediaError

# x1, y1, x2, y2
Box: TypeAlias = tuple[float, float, float, float]

# as the published models saw them
_COLOUR = (255, 0, 0)
_WIDTH = 4
# far beyond any frame; floats beyond 2**63 are no integers to torchvision either
_LARGEST = 2**31


def parse_boxes(value: object, where: str) -> dict[int, Box]:
    """Boxes by frame, checked; frames without a box are left out.

    Args:
        value: As the module's head says. Frames may be written as text, as JSON must.
        where: What an error calls it.

    Raises:
        MediaError: no mapping, a key that is no frame, two keys of one frame, or a value that is
            no box or has reversed corners.
    """
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        what = f"A value of type {type(value).__name__} holds no boxes."
        expected = "a mapping from frame numbers to [x1, y1, x2, y2] or null"
        raise _fault(what, where, expected, "write {0: [x1, y1, x2, y2], …}")
    boxes: dict[int, Box] = {}
    seen: set[int] = set()
    for key, corners in value.items():
        frame = _frame(key, where)
        if frame in seen:
            what = f"Frame {frame} has two boxes."
            raise _fault(what, where, "one box a frame", "take one of them out")
        seen.add(frame)
        if corners is not None:
            boxes[frame] = _box(corners, f"{where}[{frame}]")
    return boxes


def _frame(key: object, where: str) -> int:
    if isinstance(key, int) and not isinstance(key, bool) and key >= 0:
        return key
    if isinstance(key, str) and re.fullmatch(r"0|[1-9][0-9]{0,17}", key):
        return int(key)
    raise _fault(
        f"{key!r} is no frame.",
        where,
        "numbers of frames in the file, from 0",
        "write the number alone, e.g. 12",
    )


def _box(value: object, where: str) -> Box:
    if not isinstance(value, list | tuple) or len(value) != 4 or not all(map(_is_pixel, value)):
        what = f"{value!r} is no box."
        expected = "[x1, y1, x2, y2]: four numbers in pixels, the top left corner first; or null"
        raise _fault(what, where, expected, "mend the box")
    x1, y1, x2, y2 = (float(number) for number in cast("Sequence[float]", value))
    if x1 > x2 or y1 > y2:
        what = f"The corners of {_said((x1, y1, x2, y2))} are reversed."
        swapped = _said((min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)))
        raise _fault(what, where, "x1 up to x2 and y1 up to y2", f"write {swapped}")
    return x1, y1, x2, y2


def _is_pixel(value: object) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    # false for NaN too
    return is_number and abs(cast("float", value)) < _LARGEST


def check_boxes(boxes: Mapping[int, Box], facts: VideoFacts, path: Path) -> None:
    """Refuses boxes that this video has no place for.

    Every box is checked, those of frames that are not looked at too.

    Args:
        boxes: By frame of the file.
        facts: Of the whole file.
        path: Named by errors.

    Raises:
        MediaError: a frame behind the last one, or a box that is not within its frame.
    """
    for frame, box in boxes.items():
        if frame >= facts.num_frames:
            raise _fault(
                f"Frame {frame} has a box, and the video ends with frame {facts.num_frames - 1}.",
                str(path),
                f"frames 0 to {facts.num_frames - 1}",
                f"take the box of frame {frame} out",
            )
        if not _is_within(box, facts.width, facts.height):
            raise _fault(
                f"The box {_said(box)} of frame {frame} leaves the frame.",
                str(path),
                f"x from 0 to {facts.width} and y from 0 to {facts.height}",
                "give pixels of the frame as it is displayed, or cut the box off at its edge",
            )


def _is_within(box: Box, width: int, height: int) -> bool:
    # an end may be the frame's own size: many annotations give the first pixel outside
    x1, y1, x2, y2 = whole_pixels(box)
    return 0 <= x1 < width and 0 <= y1 < height and x2 <= width and y2 <= height


def whole_pixels(box: Box) -> tuple[int, int, int, int]:
    """Fractions cut off, as torchvision does."""
    x1, y1, x2, y2 = (int(number) for number in box)
    return x1, y1, x2, y2


def draw_boxes(frames_F3HW: Tensor, indices: Sequence[int], boxes: Mapping[int, Box]) -> Tensor:
    """Frames with a red line of four pixels around each box, drawn inwards from its corners.

    Args:
        frames_F3HW: uint8 ``(F, 3, H, W)``; not changed.
        indices: Number of each frame in the file.
        boxes: By frame of the file; what is not among ``indices`` is not drawn.

    Returns:
        uint8 ``(F, 3, H, W)``; the frames themselves where there is nothing to draw.

    Source:
        PerceptionLM draws with torchvision's ``draw_bounding_boxes``: the same pixels.
    """
    if boxes.keys().isdisjoint(indices):
        return frames_F3HW
    drawn_F3HW = frames_F3HW.clone()
    for place, index in enumerate(indices):
        if index in boxes:
            drawn_F3HW[place] = _outlined(frames_F3HW[place], boxes[index])
    return drawn_F3HW


def _outlined(frame_3HW: Tensor, box: Box) -> Tensor:
    # Pillow has its own idea of boxes flatter than the line: torchvision asks it, so do we
    picture = Image.fromarray(frame_3HW.permute(1, 2, 0).contiguous().numpy())
    ImageDraw.Draw(picture).rectangle(whole_pixels(box), outline=_COLOUR, width=_WIDTH)
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1)


def _said(box: Box) -> str:
    return f"[{', '.join(f'{number:g}' for number in box)}]"


def _fault(what: str, where: str, expected: str, fix: str) -> MediaError:
    return MediaError(what, where=where, expected=expected, fix=fix)
