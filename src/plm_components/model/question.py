"""One question about media as the parts of a user turn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from PIL import Image

from plm_components.contracts.batch import MediaSpan
from plm_components.errors import MediaError, UsageError
from plm_components.model.boxes import parse_boxes

Picture: TypeAlias = str | Path | Image.Image
# by frame of the file, which JSON writes as text
Boxes: TypeAlias = Mapping[int, Sequence[float] | None] | Mapping[str, Sequence[float] | None]


def question_parts(
    question: str,
    *,
    image: Picture | None = None,
    images: Sequence[Picture] = (),
    video: str | Path | None = None,
    start_s: float | None = None,
    end_s: float | None = None,
    boxes: Boxes | None = None,
) -> list[dict[str, Any]]:
    """Images, then the video, then the question.

    Args:
        question: In words.
        image: A file or a picture.
        images: Several of them.
        video: A file.
        start_s: Where to begin in the video, in seconds.
        end_s: Where to end in it.
        boxes: To be drawn on it, see ``model.boxes``.

    Raises:
        UsageError: no question, or times or boxes without a video.
        MediaError: boxes that are none.
    """
    _require_question(question)
    drawn = None if boxes is None else parse_boxes(boxes, "ask, boxes")
    said: dict[str, object] = {"start_s": start_s, "end_s": end_s, "boxes": drawn}
    pictures = _pictures(image, images)
    return [*pictures, *_clip(video, said), {"type": "text", "text": question}]


def require_drawn(boxes: Boxes | None, media: Sequence[MediaSpan], where: str) -> tuple[int, ...]:
    """Refuses a question about boxes that are all on frames nobody looks at.

    Args:
        boxes: As they were given.
        media: What the question is about, among it the video of the boxes.
        where: What an error calls them.

    Returns:
        Frames whose box is not seen, as they are not among those that were looked at.

    Raises:
        MediaError: all of them.
    """
    boxed = parse_boxes(boxes, where)
    seen = sorted({index for span in media for index in span.frame_indices})
    if boxed and boxed.keys().isdisjoint(seen):
        raise MediaError(
            f"No box is seen: {_frames(sorted(boxed))} not looked at.",
            where=where,
            expected=f"a box on one of the frames that are: {', '.join(map(str, seen))}",
            fix="move a box to one of them, or choose --start and --end, or more frames "
            "(video_sampler.max_frames), so that they are looked at",
        )
    return tuple(sorted(boxed.keys() - set(seen)))


def _frames(numbers: Sequence[int]) -> str:
    if len(numbers) == 1:
        return f"frame {numbers[0]} is"
    few = ", ".join(map(str, numbers[:6]))
    return f"frames {few}{', …' if len(numbers) > 6 else ''} are"


def _require_question(question: object) -> None:
    if not isinstance(question, str) or not question.strip():
        raise UsageError(
            "There is no question.",
            where="ask, question",
            expected="a question in words",
            fix='ask("what is in the picture?", image="photo.jpg")',
        )


def _pictures(image: Picture | None, images: Sequence[Picture]) -> list[dict[str, Any]]:
    if isinstance(images, str | bytes) or not isinstance(images, Sequence):
        is_one = isinstance(images, str | Path | Image.Image)
        raise UsageError(
            "images is one picture." if is_one else f"images is a {type(images).__name__}.",
            where="ask, images",
            expected="a list of pictures",
            fix="image=... for one, images=[...] for several",
        )
    listed = [*([] if image is None else [image]), *images]
    return [{"type": "image", "image": picture} for picture in listed]


def _clip(video: str | Path | None, said: Mapping[str, object]) -> list[dict[str, Any]]:
    given = {name: value for name, value in said.items() if value is not None}
    if video is None and given:
        names = " and ".join(given)
        what = "draw on" if "boxes" in given else "cut"
        raise UsageError(
            f"{names} without a video.",
            where=f"ask, {names}",
            expected=f"a video to {what}",
            fix=f"add video=..., or leave the {'boxes' if 'boxes' in given else 'times'} out",
        )
    return [] if video is None else [{"type": "video", "video": video, **given}]
