"""A reply: an iterator of pieces that knows, once it is whole, what it speaks of."""

from __future__ import annotations

from plm_components.contracts import MediaSpan
from plm_components.inference import Reply


def span(kind: str, times: tuple[float, ...] = ()) -> MediaSpan:
    return MediaSpan(0, 0, 4, 0, len(times) or 1, kind, times, "", tuple(range(len(times))))


def test_pieces_come_once_and_the_text_is_all_of_them() -> None:
    reply = Reply(iter(["It ", "is ", "red."]))

    assert next(reply) == "It "
    assert reply.text == "It is red."
    assert list(reply) == []
    assert reply.text == "It is red."


def test_frames_are_timed_by_the_video_among_the_media() -> None:
    media = [span("image"), span("video", (0.0, 0.5, 1.0))]
    reply = Reply(iter(["fra", "me 2 and [0, 1]"]), media, first_frame=0)

    assert [(said.text, said.seconds) for said in reply.frames] == [
        ("frame 2", (1.0, 1.0)),
        ("[0, 1]", (0.0, 0.5)),
    ]
    assert reply.text == "frame 2 and [0, 1]"


def test_seconds_are_told_while_it_comes_and_the_text_stays_as_it_was_said() -> None:
    reply = Reply(iter(["In frame 1", "."]), [span("video", (0.25, 0.5))], first_frame=1)

    assert "".join(reply.with_seconds()) == "In frame 1 (0.25 s)."
    assert reply.text == "In frame 1."


def test_of_two_videos_frames_are_found_and_not_timed() -> None:
    reply = Reply(iter(["frame 1"]), [span("video", (0.0, 1.0)), span("video", (0.0, 2.0))])

    assert reply.frame_times == ()
    assert "".join(reply.with_seconds()) == "frame 1"
    assert [said.seconds for said in reply.frames] == [None]


def test_without_a_video_no_word_is_a_frame() -> None:
    reply = Reply(iter(["frame 1, [015,041,171,145]"]), [span("image")])

    assert reply.frames == ()
    assert [box.corners for box in reply.boxes] == [(0.015, 0.041, 0.171, 0.145)]
