from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plm_components.inference import find_boxes
from plm_components.model.region_text import region_text


def test_boxes_are_shares_of_the_picture() -> None:
    text = "A cat [015, 041, 171, 145] and a dog [500,500,999,999]."
    cat, dog = find_boxes(text)

    assert cat.corners == (0.015, 0.041, 0.171, 0.145)
    assert dog.corners == (0.5, 0.5, 0.999, 0.999)
    assert [text[box.start : box.end] for box in (cat, dog)] == [cat.text, dog.text]
    assert dog.pixels(640, 480) == (320, 240, 639, 479)


@pytest.mark.parametrize(
    "text",
    ["", "[1, 2, 3, 4]", "[015, 041, 171]", "[015, 041, 171, 145, 100]", "015, 041, 171, 145",
     "[0.15, 0.41, 0.171, 0.145]", "[3, 7]", "[1000, 041, 171, 145]", "[-15, 041, 171, 145]"],
)  # fmt: skip
def test_everything_else_is_no_box(text: str) -> None:
    assert find_boxes(text) == ()


def test_a_box_whose_corners_are_reversed_says_so() -> None:
    assert [box.is_reversed for box in find_boxes("[171, 041, 015, 145] [015, 041, 015, 041]")] == [
        True,
        False,
    ]


@given(st.tuples(*[st.integers(0, 500)] * 4), st.integers(1, 1000), st.integers(1, 1000))
def test_a_region_that_is_written_is_read_again(region, width: int, height: int) -> None:
    (box,) = find_boxes(region_text(region, width, height))

    assert f"[{','.join(f'{round(c * 1000):03}' for c in box.corners)}]" == box.text
    assert not box.is_reversed
