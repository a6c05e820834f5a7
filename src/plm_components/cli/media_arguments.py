"""The media of a question on a command line: files in order, a stretch of time, boxes."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plm_components.errors import MediaError, UsageError

if TYPE_CHECKING:
    from plm_components.model.boxes import Box

_NUMBER = r"\s*-?[0-9]+(?:\.[0-9]+)?\s*"
_BOX = re.compile(rf"(?P<frame>[0-9]+):(?P<corners>{','.join([_NUMBER] * 4)})")


class _Medium(argparse.Action):
    """Collects images and videos in the order they were written."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        media = list(getattr(namespace, self.dest) or ())
        paths = [values] if isinstance(values, str) else list(values or ())
        kind = "video" if option_string == "--video" else "image"
        setattr(namespace, self.dest, [*media, *((kind, str(path)) for path in paths)])


def add_media_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares images, videos, times and boxes."""
    group = parser.add_argument_group("media")
    for option, count, text in (
        ("--image", None, "an image file (may be repeated)"),
        ("--images", "+", "several image files"),
        ("--video", None, "a video file"),
    ):
        group.add_argument(
            option,
            dest="media",
            action=_Medium,
            nargs=count,
            default=[],
            metavar="FILE",
            help=text,
        )
    group.add_argument("--start", type=float, metavar="SECONDS", help="look from here in the video")
    group.add_argument("--end", type=float, metavar="SECONDS", help="look up to here in the video")
    group.add_argument(
        "--box",
        dest="box",
        action="append",
        default=[],
        metavar="FRAME:X1,Y1,X2,Y2",
        help="draw a red box, in pixels, on a frame of the video's file (may be repeated)",
    )
    group.add_argument(
        "--boxes",
        metavar="FILE",
        help='boxes as JSON, {"12": [x1, y1, x2, y2], …}, as in a record\'s bbox_map',
    )


def conversation(
    question: str,
    media: Sequence[tuple[str, str]],
    *,
    start_s: float | None = None,
    end_s: float | None = None,
    boxes: Mapping[int, Box] | None = None,
) -> list[dict[str, Any]]:
    """One user turn: the media in order, then the question.

    Args:
        question: In words.
        media: ``(image or video, path)``.
        start_s: Where the video begins to matter, in seconds.
        end_s: Where it ends.
        boxes: What ``read_boxes`` returned.

    Raises:
        UsageError: no question, or times or boxes that make no sense.
    """
    if not question.strip():
        raise _nonsense("The question is empty.", "a question in words", "write what to ask")
    videos = sum(kind == "video" for kind, _ in media)
    clip = {key: at for key, at in (("start_s", start_s), ("end_s", end_s)) if at is not None}
    if clip and not videos:
        raise _nonsense(
            "--start and --end need a video.",
            "--video FILE beside them",
            "add --video, or leave the times out",
        )
    if start_s is not None and end_s is not None and end_s <= start_s:
        raise _nonsense(
            f"The clip ends at {end_s:g} s and starts at {start_s:g} s.",
            "--start before --end",
            "exchange them, or leave one out",
        )
    if boxes and videos != 1:
        raise _nonsense(
            f"--box and --boxes belong to one video, and there are {videos}.",
            "--video FILE once",
            "ask about one video, or leave the boxes out",
        )
    of_video = {**clip, **({"boxes": boxes} if boxes else {})}
    parts: list[dict[str, Any]] = [
        {"type": kind, kind: path, **(of_video if kind == "video" else {})} for kind, path in media
    ]
    return [{"role": "user", "content": [*parts, {"type": "text", "text": question}]}]


def read_boxes(file: str | None, listed: Sequence[str]) -> dict[int, Box]:
    """Boxes of a file and of the command line, by frame.

    Args:
        file: JSON, as in a record's ``bbox_map``.
        listed: ``12:x1,y1,x2,y2``.

    Raises:
        UsageError: words that are no box, or a frame with two boxes.
        MediaError: a file that is no mapping in JSON, or a box that is none.
        OSError: a file that cannot be read.
    """
    on_line = _once([_box(words) for words in listed])
    in_file = {} if file is None else _once(_pairs_of(Path(file).expanduser()))
    _once([*in_file.items(), *on_line.items()])
    if not on_line and not in_file:
        return {}
    # here, not above: it imports torch
    from plm_components.model.boxes import parse_boxes

    return {**parse_boxes(in_file, str(file)), **parse_boxes(on_line, "plm ask, --box")}


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    boxes: dict[str, Any] = {}
    for frame, corners in pairs:
        if frame in boxes:
            what = f"Frame {frame} has two boxes."
            raise _nonsense(what, "one box a frame", "leave one of them out")
        boxes[frame] = corners
    return boxes


def _pairs_of(path: Path) -> list[tuple[str, Any]]:
    text = path.read_bytes()
    try:
        # pairs: a frame that stands there twice is not the second in silence
        found = json.loads(text, object_pairs_hook=_Pairs)
    except (ValueError, RecursionError) as error:
        raise _no_boxes(f"The boxes cannot be read: {_reason(error)}.", path) from error
    if not isinstance(found, _Pairs):
        raise _no_boxes("The file holds no boxes.", path)
    return list(found)


class _Pairs(list[tuple[str, Any]]):
    """A JSON object as it was written."""


def _reason(error: Exception) -> str:
    return "it is nested too deep" if isinstance(error, RecursionError) else str(error)


def _box(words: str) -> tuple[str, list[float]]:
    found = _BOX.fullmatch(words)
    if found is None:
        raise _nonsense(
            f"{words!r} is no box.",
            "--box FRAME:X1,Y1,X2,Y2, a frame's number in the file and pixels",
            "e.g. --box 12:40,30,200,180",
        )
    return str(int(found["frame"][:18])), [float(n) for n in found["corners"].split(",")]


def _no_boxes(what: str, path: Path) -> MediaError:
    return MediaError(
        what,
        where=str(path),
        expected='JSON such as {"12": [x1, y1, x2, y2], "13": null}',
        fix="mend the file, or write --box 12:x1,y1,x2,y2",
    )


def _nonsense(what: str, expected: str, fix: str) -> UsageError:
    return UsageError(what, where="plm ask", expected=expected, fix=fix)
