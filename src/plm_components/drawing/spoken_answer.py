"""An answer drawn: its boxes on the picture, its frames marked among those that were looked at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from PIL import Image, ImageDraw

from plm_components.contracts import MediaSpan, VideoReader
from plm_components.drawing.contact_sheet import draw_contact_sheet
from plm_components.drawing.page import font
from plm_components.inference import Reply, SpokenBox
from plm_components.model.boxes import draw_boxes
from plm_components.model.images import read_image
from plm_components.model.messages import ImagePart, VideoPart

# told apart on most pictures, and by most eyes
_COLOURS = ((230, 25, 40), (0, 110, 220), (240, 140, 0), (0, 150, 90), (150, 40, 190))
_FRAMES_AT_ONCE = 4
_SIDE = 480


def draw_answer(
    reply: Reply, part: ImagePart | VideoPart, reader: VideoReader | None = None
) -> Image.Image | None:
    """The one medium of a question with what the answer says of it.

    Args:
        reply: The answer; waited for.
        part: The medium.
        reader: Of videos.

    Returns:
        RGB; None where the answer names no box of a picture, or no frame of a video.
    """
    if isinstance(part, ImagePart):
        boxes = [box for box in reply.boxes if not box.is_reversed]
        return boxes_on_picture(read_image(part.image), boxes) if boxes else None
    marked = _marked_places(reply)
    if not marked or reader is None:
        return None
    (span,) = reply.videos
    pictures = list(_frames_seen(reader, part, span))
    labels = [
        f"{place + reply.first_frame}: {time_s:.2f} s"
        for place, time_s in enumerate(span.timestamps)
    ]
    return draw_contact_sheet(pictures, labels, marked, heading="".join(_told(reply)))


def _told(reply: Reply) -> Iterator[str]:
    # the reply is whole by now: its text once more, with seconds
    whole = Reply(iter([reply.text]), reply.media, first_frame=reply.first_frame)
    return whole.with_seconds()


def _marked_places(reply: Reply) -> set[int]:
    """Places, among the frames looked at, of those that the answer names."""
    places: set[int] = set()
    for span in reply.frames:
        if span.seconds is not None:
            low, high = sorted((span.first, span.last))
            places.update(range(low - reply.first_frame, high - reply.first_frame + 1))
    return places


def _frames_seen(reader: VideoReader, part: VideoPart, span: MediaSpan) -> Iterator[Image.Image]:
    """Small pictures of the frames, the question's own boxes on them, a few read at a time."""
    for start in range(0, span.num_tiles, _FRAMES_AT_ONCE):
        indices = span.frame_indices[start : start + _FRAMES_AT_ONCE]
        for frame_3HW in draw_boxes(reader.read(part.video, indices), indices, part.boxes):
            picture = _picture(frame_3HW)
            picture.thumbnail((_SIDE, _SIDE), Image.Resampling.LANCZOS)
            yield picture


def _picture(frame_3HW: torch.Tensor) -> Image.Image:
    return Image.fromarray(frame_3HW.permute(1, 2, 0).contiguous().numpy())


def boxes_on_picture(picture: Image.Image, boxes: Sequence[SpokenBox]) -> Image.Image:
    """A copy with a frame around each box; several are numbered in the order they were said.

    Args:
        picture: RGB, of any size.
        boxes: None of them reversed.
    """
    drawn = picture.copy()
    draw = ImageDraw.Draw(drawn)
    width = max(2, round(max(picture.size) / 200))
    for number, box in enumerate(boxes):
        colour = _COLOURS[number % len(_COLOURS)]
        corners = box.pixels(*picture.size)
        draw.rectangle(corners, outline=colour, width=width)
        if len(boxes) > 1:
            _tag(draw, corners[:2], str(number + 1), colour, size=max(12, 6 * width))
    return drawn


def _tag(
    draw: ImageDraw.ImageDraw,
    corner: tuple[int, int],
    text: str,
    colour: tuple[int, int, int],
    *,
    size: int,
) -> None:
    x, y = corner
    room = draw.textbbox((0, 0), text, font=font(size))
    draw.rectangle((x, y, x + room[2] + size // 2, y + room[3] + size // 4), fill=colour)
    draw.text((x + size // 4, y), text, fill=(255, 255, 255), font=font(size))
