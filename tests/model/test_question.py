"""ask's arguments as the parts of a turn, boxes among them."""

from __future__ import annotations

import pytest

from plm_components.contracts import MediaSpan
from plm_components.errors import MediaError, UsageError
from plm_components.model.question import question_parts, require_drawn


def test_media_stand_before_the_question() -> None:
    parts = question_parts(
        "who?", image="a.png", images=["b.png"], video="c.mp4", end_s=2.0, boxes={"3": [1, 2, 3, 4]}
    )
    assert parts == [
        {"type": "image", "image": "a.png"},
        {"type": "image", "image": "b.png"},
        {"type": "video", "video": "c.mp4", "end_s": 2.0, "boxes": {3: (1.0, 2.0, 3.0, 4.0)}},
        {"type": "text", "text": "who?"},
    ]


def test_boxes_need_a_video() -> None:
    with pytest.raises(UsageError) as caught:
        question_parts("who?", image="a.png", start_s=1.0, boxes={3: [1, 2, 3, 4]})
    assert str(caught.value) == (
        "start_s and boxes without a video.\n"
        "  where:    ask, start_s and boxes\n"
        "  expected: a video to draw on\n"
        "  fix:      add video=..., or leave the boxes out"
    )


def test_boxes_that_are_none_name_the_argument() -> None:
    with pytest.raises(MediaError) as caught:
        question_parts("who?", video="a.mp4", boxes={3: [1, 2, 3]})
    assert caught.value.where == "ask, boxes[3]"


SPANS = [MediaSpan(0, 0, 3, 0, 3, "video", (0.0, 0.5, 1.0), "", (0, 12, 24))]


def test_boxes_that_are_not_seen_are_returned() -> None:
    boxes = {0: [1, 1, 2, 2], "13": [1, 1, 2, 2], "12": None, 30: [1, 1, 2, 2]}
    assert require_drawn(boxes, SPANS, "ask, boxes") == (13, 30)
    assert require_drawn(None, SPANS, "ask, boxes") == ()
    assert require_drawn({"1": None}, SPANS, "ask, boxes") == ()


def test_where_no_box_is_seen_the_frames_that_are_looked_at_are_told() -> None:
    with pytest.raises(MediaError) as caught:
        require_drawn({n: [1, 1, 2, 2] for n in range(1, 10)}, SPANS, "ask, boxes")
    assert str(caught.value) == (
        "No box is seen: frames 1, 2, 3, 4, 5, 6, … are not looked at.\n"
        "  where:    ask, boxes\n"
        "  expected: a box on one of the frames that are: 0, 12, 24\n"
        "  fix:      move a box to one of them, or choose --start and --end, or more frames "
        "(video_sampler.max_frames), so that they are looked at"
    )
