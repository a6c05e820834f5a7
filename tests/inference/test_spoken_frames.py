"""Frames in answers: what is one, which seconds it stands for, and that streams say the same."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plm_components.inference import find_frames, with_seconds

TIMES = tuple(n / 4 for n in range(32))


def told(text: str, *, first_frame: int = 0, times: tuple[float, ...] = TIMES) -> str:
    return "".join(with_seconds([text], times, first_frame=first_frame))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("frame 3", "frame 3 (0.75 s)"),
        ("It appears in Frame 3.", "It appears in Frame 3 (0.75 s)."),
        ("frame #3, frame no. 4, frame number 5",
         "frame #3 (0.75 s), frame no. 4 (1.00 s), frame number 5 (1.25 s)"),
        ("From frame 3 to frame 7 it walks", "From frame 3 to frame 7 (0.75–1.75 s) it walks"),
        ("frames 3-7", "frames 3-7 (0.75–1.75 s)"),
        ("frames 3 – 7", "frames 3 – 7 (0.75–1.75 s)"),
        ("frames 2, 4 and 9", "frames 2 (0.50 s), 4 (1.00 s) and 9 (2.25 s)"),
        ("frames 1 to 2 and 4 to 5", "frames 1 to 2 (0.25–0.50 s) and 4 to 5 (1.00–1.25 s)"),
        ("[3, 7]", "[3, 7] (0.75–1.75 s)"),
        ("frames (3, 7)", "frames (3, 7) (0.75–1.75 s)"),
        ("Frame [0, 6]: A dog sits.\nFrame [7, 9]: It runs.\n[31, 31]: Out of frame.",
         "Frame [0, 6] (0.00–1.50 s): A dog sits.\nFrame [7, 9] (1.75–2.25 s): It runs.\n"
         "[31, 31] (7.75 s): Out of frame."),
        # a model may say what is not so
        ("frame 32", "frame 32 (no such frame)"),
        ("[30, 40]", "[30, 40] (no such frames)"),
        ("[7, 3]", "[7, 3] (1.75–0.75 s)"),
        # in the singular, what follows a comma counts something else
        ("in frame 3, 2 dogs sit", "in frame 3 (0.75 s), 2 dogs sit"),
    ],
)  # fmt: skip
def test_seconds_stand_beside_frames(text: str, expected: str) -> None:
    assert told(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "at the beginning",
        "at 3 o'clock",
        "in the first frame",
        "out of frame",
        "a frame of 3 pictures",
        "the 3rd frame",
        "frame 3rd",
        "frame 3.5",
        "subframe 3",
        "framework 3",
        "3 frames",
        "(3, 7)",
        "[3]",
        "[1, 2, 3]",
        "[015, 041, 171, 145]",
        "frame 1234567",
        "frame -1",
    ],
)
def test_everything_else_is_left_alone(text: str) -> None:
    assert told(text) == text
    assert find_frames(text, TIMES, first_frame=0) == ()


def test_where_the_first_frame_is_number_one() -> None:
    (first, last, none) = find_frames("frame 1, frame 32, frame 0", TIMES, first_frame=1)

    assert (first.seconds, last.seconds, none.seconds) == ((0.0, 0.0), (7.75, 7.75), None)
    assert told("frame 1, frame 33", first_frame=1) == "frame 1 (0.00 s), frame 33 (no such frame)"


def test_a_span_says_where_it_stands() -> None:
    text = "See frames 2, 4 and 9."
    spans = find_frames(text, TIMES, first_frame=0)

    assert [(span.text, span.first, span.last) for span in spans] == [
        ("frames 2", 2, 2),
        ("4", 4, 4),
        ("9", 9, 9),
    ]
    assert all(text[span.start : span.end] == span.text for span in spans)


_WORDS = st.sampled_from(
    ["frame", "frames", "Frame", "3", "7", "12", "[", "]", "(", ")", ",", " ", " ", "-", "–", "to",
     "and", "no.", "#", ".", ":", "\n", "dog", "a", "s", "until", "numbers", "é"]
)  # fmt: skip


@given(st.lists(_WORDS, max_size=24).map("".join), st.lists(st.integers(0, 80), max_size=12))
def test_a_stream_says_what_the_whole_says_wherever_it_is_cut(text: str, cuts: list[int]) -> None:
    edges = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    pieces = [text[a:b] for a, b in pairwise(edges)]

    assert "".join(with_seconds(pieces, TIMES, first_frame=0)) == told(text)
    assert "".join(with_seconds(text, TIMES, first_frame=0)) == told(text)


def test_a_stream_goes_on_while_the_answer_comes() -> None:
    given_so_far: list[str] = []

    def pieces():
        for piece in ("The dog", " sits", " in", " frame", " 3", ",", " then", " runs", "."):
            given_so_far.append(piece)
            yield piece

    when = [(text, len(given_so_far)) for text in with_seconds(pieces(), TIMES, first_frame=0)]

    assert when == [
        ("The ", 1),
        ("dog ", 2),
        ("sits ", 3),
        ("in ", 4),
        ("frame 3 (0.75 s), then ", 8),
        ("runs.", 9),
    ]


def test_long_answers_take_no_time() -> None:
    text = "frames 1, 2, 3, " * 300 + "frames " + "9" * 3000
    assert "".join(with_seconds([text], TIMES, first_frame=0)) == told(text)
