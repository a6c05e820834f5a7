"""Boxes where the answer puts them; the frames it names, and no others, marked."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from plm_components.contracts import MediaSpan
from plm_components.drawing import boxes_on_picture, draw_answer
from plm_components.drawing.contact_sheet import draw_contact_sheet
from plm_components.drawing.page import GOOD, MARGIN, WIDTH
from plm_components.inference import Reply, find_boxes
from plm_components.model.messages import ImagePart, VideoPart
from plm_components.video_readers.pyav import PyAVReader

GREY = (90, 90, 90)


def where_changed(picture: Image.Image) -> np.ndarray:
    return (np.asarray(picture) != GREY).any(-1)


@pytest.mark.parametrize("size", [(640, 480), (97, 311), (4000, 500)])
def test_a_box_is_drawn_where_it_was_said(size: tuple[int, int]) -> None:
    plain = Image.new("RGB", size, GREY)
    changed_HW = where_changed(boxes_on_picture(plain, find_boxes("[250, 100, 750, 900]")))
    rows, columns = changed_HW.any(1).nonzero()[0], changed_HW.any(0).nonzero()[0]

    width, height = size
    assert (columns[0], columns[-1]) == (int(0.25 * width), int(0.75 * width))
    assert (rows[0], rows[-1]) == (int(0.1 * height), int(0.9 * height))
    assert not changed_HW[int(0.2 * height) : int(0.8 * height), int(0.5 * width)].any()
    assert not where_changed(plain).any()


def test_several_boxes_are_told_apart() -> None:
    plain = Image.new("RGB", (400, 400), GREY)
    boxes = find_boxes("[100, 100, 400, 400] [600, 600, 900, 900]")
    pixels = np.asarray(boxes_on_picture(plain, boxes))

    # on their lower edges, away from the numbers
    assert GREY not in (tuple(pixels[160, 100]), tuple(pixels[360, 300]))
    assert tuple(pixels[160, 100]) != tuple(pixels[360, 300])


def image_reply(text: str) -> Reply:
    return Reply(iter([text]), [MediaSpan(0, 0, 1, 0, 1, "image", (), "")])


def test_an_answer_about_an_image() -> None:
    part = ImagePart(Image.new("RGB", (100, 100), GREY))
    drawn = draw_answer(image_reply("It is at [100, 100, 500, 500]."), part)

    assert drawn is not None
    assert where_changed(drawn).any()
    assert draw_answer(image_reply("It is in frame 3, [3, 7]."), part) is None
    assert draw_answer(image_reply("[500, 100, 100, 500]"), part) is None


def test_an_answer_about_a_video(write_video) -> None:
    path, reader = write_video(count=24), PyAVReader()
    indices, times = (0, 8, 16, 23), (0.0, 0.33, 0.67, 0.96)
    spans = [MediaSpan(0, 0, 4, 0, 4, "video", times, "", indices)]

    def draw(text: str, part: VideoPart, first_frame: int = 0) -> np.ndarray | None:
        drawn = draw_answer(Reply(iter([text]), spans, first_frame=first_frame), part, reader)
        return None if drawn is None else np.asarray(drawn)

    part = VideoPart(path)
    assert draw("frame 4", part) is None
    assert draw("[100, 100, 500, 500]", part) is None
    assert marked(draw("frames 1 to 2", part)) == [1, 2]
    assert marked(draw("[2, 1]", part)) == [1, 2]
    assert marked(draw("frame 1 and frame 4", part, first_frame=1)) == [0, 3]
    # the question's own boxes are seen as the model saw them
    boxed = draw("frame 1", VideoPart(path, boxes={16: (4.0, 4.0, 60.0, 44.0)}))
    assert not np.array_equal(boxed, draw("frame 1", part))


def marked(sheet: np.ndarray | None) -> list[int]:
    """Which of four columns hold the marks' colour."""
    assert sheet is not None
    good_W = (sheet == GOOD).all(-1).sum(0)[MARGIN - 8 : 8 - MARGIN]
    quarters = np.array_split(good_W, 4)
    return [place for place, count in enumerate(quarters) if count.max() > 100]


@pytest.mark.parametrize("count", [1, 3, 8, 9, 32])
@pytest.mark.parametrize("size", [(64, 36), (36, 64), (10, 300)])
def test_every_frame_is_on_the_sheet(count: int, size: tuple[int, int]) -> None:
    colours = [(n * 7 + 10, 40, 200 - n * 5) for n in range(count)]
    pictures = [Image.new("RGB", size, colour) for colour in colours]
    labels = [f"{n}: 0.00 s" for n in range(count)]
    sheet = draw_contact_sheet(pictures, labels, {0}, heading="One line.\nAnd another.")
    found = {tuple(colour) for _, colour in sheet.getcolors(sheet.width * sheet.height)}

    assert sheet.width == WIDTH
    assert found.issuperset(colours)
    assert GOOD in found
