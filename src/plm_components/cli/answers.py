"""An answer as ``plm ask`` tells it: streamed for a person, one JSON document for a program."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from plm_components.contracts import MediaSpan
    from plm_components.inference import Reply, SpokenBox, SpokenFrames


def stream_answer(reply: Reply) -> None:
    """Prints it as it comes, seconds beside its frames."""
    for piece in reply.with_seconds():
        sys.stdout.write(piece)
        sys.stdout.flush()
    print()


def answer_notes(reply: Reply) -> list[str]:
    """What must be known of a whole answer and cannot be seen in it."""
    notes = []
    if reply.frames and not reply.frame_times:
        count = len(reply.videos)
        notes.append(f"the answer speaks of frames, and not of which of {count} videos")
    turned = [box.text for box in reply.boxes if box.is_reversed]
    if turned:
        notes.append(f"no box, as its corners are reversed: {', '.join(turned)}")
    return notes


def answer_to_dict(reply: Reply, media: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """The media with the frames that were looked at, the answer, and what it speaks of."""
    # a layout may say images before videos; among its own kind each keeps its place
    spans = {kind: iter([span for span in reply.media if span.kind == kind]) for kind, _ in media}
    return {
        "media": [
            {"kind": kind, "path": path, **_frames_seen(next(spans[kind]))} for kind, path in media
        ],
        "answer": reply.text,
        "frames": [_frames(span) for span in reply.frames],
        "boxes": [_box(box) for box in reply.boxes],
    }


def _frames_seen(span: MediaSpan) -> dict[str, Any]:
    if span.kind == "image":
        return {}
    times = [round(time_s, 6) for time_s in span.timestamps]
    return {"frame_indices": list(span.frame_indices), "seconds": times}


def _frames(span: SpokenFrames) -> dict[str, Any]:
    seconds = None if span.seconds is None else [round(time_s, 6) for time_s in span.seconds]
    return {**_place(span), "frames": [span.first, span.last], "seconds": seconds}


def _box(box: SpokenBox) -> dict[str, Any]:
    return {**_place(box), "box": list(box.corners), "reversed": box.is_reversed}


def _place(said: SpokenFrames | SpokenBox) -> dict[str, Any]:
    return {"text": said.text, "start": said.start, "end": said.end}
