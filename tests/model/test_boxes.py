"""Boxes on frames: torchvision's own pixels, and one clear error for what is no box."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchvision.utils import draw_bounding_boxes

from plm_components.contracts import VideoFacts
from plm_components.errors import MediaError
from plm_components.model.boxes import check_boxes, draw_boxes, parse_boxes

HEIGHT, WIDTH = 23, 31
FACTS = VideoFacts(10, 5.0, 2.0, tuple(n / 5 for n in range(10)), (0,), WIDTH, HEIGHT)


def noise(count: int = 1) -> torch.Tensor:
    pixels = np.random.default_rng(0).integers(0, 256, (count, 3, HEIGHT, WIDTH), dtype=np.uint8)
    return torch.from_numpy(pixels)


def expected(frame_3HW: torch.Tensor, box: tuple[float, ...]) -> torch.Tensor:
    return draw_bounding_boxes(frame_3HW, torch.tensor([box]), colors=(255, 0, 0), width=4)


@st.composite
def boxes_within(draw) -> tuple[float, ...]:
    def number(largest: float) -> st.SearchStrategy[float]:
        whole = st.integers(0, int(largest)).map(float)
        return whole | st.floats(0, largest, width=32)

    x1, y1 = draw(number(WIDTH - 1)), draw(number(HEIGHT - 1))
    x2, y2 = draw(number(WIDTH)), draw(number(HEIGHT))
    return min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)


@given(boxes_within())
def test_every_box_is_drawn_as_torchvision_draws_it(box) -> None:
    frames_F3HW = noise()
    boxes = parse_boxes({3: box}, "boxes")
    check_boxes(boxes, FACTS, Path("a.mp4"))
    drawn_F3HW = draw_boxes(frames_F3HW, [3], boxes)

    assert torch.equal(drawn_F3HW[0], expected(frames_F3HW[0], box))
    assert torch.equal(frames_F3HW, noise())


def test_each_frame_gets_its_own_box_wherever_it_is_repeated() -> None:
    frames_F3HW = noise(4)
    boxes = {2: (1.0, 2.0, 20.0, 20.0), 9: (0.0, 0.0, 31.0, 23.0), 5: (3.0, 3.0, 9.0, 9.0)}
    drawn_F3HW = draw_boxes(frames_F3HW, [1, 2, 2, 9], boxes)

    assert torch.equal(drawn_F3HW[0], frames_F3HW[0])
    for place, frame in ((1, 2), (2, 2), (3, 9)):
        assert torch.equal(drawn_F3HW[place], expected(frames_F3HW[place], boxes[frame]))


def test_frames_may_be_text_and_boxes_null() -> None:
    assert parse_boxes({"0": [1, 2, 3, 4], 7: None, "12": (0, 0.5, 0, 1)}, "boxes") == {
        0: (1.0, 2.0, 3.0, 4.0),
        12: (0.0, 0.5, 0.0, 1.0),
    }
    assert parse_boxes(None, "boxes") == {}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (
            [[0, 1, 2, 3]],
            "A value of type list holds no boxes.\n"
            "  where:    boxes\n"
            "  expected: a mapping from frame numbers to [x1, y1, x2, y2] or null\n"
            "  fix:      write {0: [x1, y1, x2, y2], …}",
        ),
        (
            {"first": [0, 1, 2, 3]},
            "'first' is no frame.\n"
            "  where:    boxes\n"
            "  expected: numbers of frames in the file, from 0\n"
            "  fix:      write the number alone, e.g. 12",
        ),
        (
            {3: [1, 2, 3, 4], "3": None},
            "Frame 3 has two boxes.\n"
            "  where:    boxes\n"
            "  expected: one box a frame\n"
            "  fix:      take one of them out",
        ),
        (
            {3: [1, 2, "3", 4]},
            "[1, 2, '3', 4] is no box.\n"
            "  where:    boxes[3]\n"
            "  expected: [x1, y1, x2, y2]: four numbers in pixels, the top left corner first; "
            "or null\n"
            "  fix:      mend the box",
        ),
        (
            {3: [10, 2, 3.5, 4]},
            "The corners of [10, 2, 3.5, 4] are reversed.\n"
            "  where:    boxes[3]\n"
            "  expected: x1 up to x2 and y1 up to y2\n"
            "  fix:      write [3.5, 2, 10, 4]",
        ),
    ],
)
def test_what_is_no_box_says_so(value, text: str) -> None:
    with pytest.raises(MediaError) as caught:
        parse_boxes(value, "boxes")
    assert str(caught.value) == text


@pytest.mark.parametrize("key", [-1, 1.0, True, "03", "-1", " 3", "1.5", "", None, "9" * 5000])
def test_frames_are_whole_numbers(key) -> None:
    with pytest.raises(MediaError, match="is no frame"):
        parse_boxes({key: None}, "boxes")


@pytest.mark.parametrize(
    "box", [5, "1234", [1, 2, 3], [1, 2, 3, float("nan")], [1, 2, 3, 10**400], [0, 0, True, 1]]
)
def test_boxes_are_four_numbers(box) -> None:
    with pytest.raises(MediaError, match="is no box"):
        parse_boxes({0: box}, "boxes")


@pytest.mark.parametrize(
    ("boxes", "text"),
    [
        (
            {10: (0, 0, 1, 1)},
            "Frame 10 has a box, and the video ends with frame 9.\n"
            "  where:    a.mp4\n"
            "  expected: frames 0 to 9\n"
            "  fix:      take the box of frame 10 out",
        ),
        (
            {2: (0, 0, 32.5, 9)},
            "The box [0, 0, 32.5, 9] of frame 2 leaves the frame.\n"
            "  where:    a.mp4\n"
            "  expected: x from 0 to 31 and y from 0 to 23\n"
            "  fix:      give pixels of the frame as it is displayed, or cut the box off at its "
            "edge",
        ),
    ],
)
def test_what_the_video_has_no_place_for_is_refused(boxes, text: str) -> None:
    with pytest.raises(MediaError) as caught:
        check_boxes(boxes, FACTS, Path("a.mp4"))
    assert str(caught.value) == text


@pytest.mark.parametrize("box", [(-1, 0, 5, 5), (31, 0, 31, 5), (0, 23, 5, 23), (0, 0, 5, 24)])
def test_a_box_outside_the_frame_is_refused(box) -> None:
    with pytest.raises(MediaError, match="leaves the frame"):
        check_boxes({0: box}, FACTS, Path("a.mp4"))
