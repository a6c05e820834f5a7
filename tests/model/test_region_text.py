"""Regions as text: against a restatement in NumPy's float64."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from plm_components.errors import TokenizerError
from plm_components.model.region_text import region_filler, region_text

SIDE = st.integers(1, 20_000) | st.floats(0.5, 20_000)
EDGE = st.integers(-100, 30_000) | st.floats(-100, 30_000)
LENGTH = st.integers(0, 30_000) | st.floats(0, 30_000)


@given(region=st.tuples(EDGE, EDGE, LENGTH, LENGTH), width=SIDE, height=SIDE)
@example(region=(10, 20, 100, 50), width=640, height=480)
@example(region=(0, 0, 1000, 1000), width=1000, height=1000)
def test_thousandths_are_those_of_float64(region, width, height) -> None:
    x, y, w, h = np.array(region, dtype=np.float64)
    corners = np.array([x, y, x + w, y + h])
    shares = np.clip(corners / np.array([width, height, width, height]), 0, 0.999)
    digits = np.trunc(shares * 1000).astype(int)

    assert region_text(region, width, height) == "[" + ",".join(f"{n:03}" for n in digits) + "]"


@given(st.integers(1, 5000), st.integers(0, 5000))
def test_a_share_is_never_further_off_than_a_thousandth(width: int, x: int) -> None:
    text = region_text((x, 0, 0, 0), width, 1)

    assert re.fullmatch(r"\[\d{3},000,\d{3},000\]", text)
    assert abs(int(text[1:4]) / 1000 - min(x / width, 1)) < 0.001 + 1e-12


@pytest.mark.parametrize(
    "region", [[1, 2, 3], "1234", [1, 2, 3, "4"], [1, 2, 3, float("nan")], [True, 2, 3, 4],
               [1, 2, 3, 10**400], None]
)  # fmt: skip
def test_what_is_no_region_is_refused(region) -> None:
    with pytest.raises(TokenizerError, match="is no region") as caught:
        region_filler({"bbox": [region], "width": 9, "height": 9}, "record")
    assert caught.value.where == "record.bbox[0]"


@pytest.mark.parametrize("width", [0, -1, float("inf"), "640", None, True])
def test_a_picture_without_a_size_is_refused(width) -> None:
    with pytest.raises(TokenizerError) as caught:
        region_filler({"bbox": [[1, 2, 3, 4]], "width": width, "height": 9}, "record")
    assert caught.value.what == f"The picture's width is {width!r}."


def test_a_number_of_any_length_is_out_of_range() -> None:
    fill = region_filler({"bbox": [[1, 2, 3, 4]], "width": 9, "height": 9}, "record")

    with pytest.raises(TokenizerError, match="does not have") as caught:
        fill(f"<|bbox{'9' * 5000}|>", "record")
    assert caught.value.expected == "placeholders of the regions in bbox: <|bbox0|> only"
