"""The demo: the same seed draws the same files, answers stand beside the truth, the page holds."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from plm_components.demo import run_demo
from plm_components.demo.scenes import draw_image, draw_video
from plm_components.demo.sheet import Exchange, Frame, Story, draw_sheet
from plm_components.drawing.page import MARGIN, PAPER, WIDTH, wrap
from plm_components.errors import UsageError


class Echo:
    """Answers the first question rightly by looking at nothing, and the rest with its own words."""

    def __init__(self, real) -> None:
        self.model, self.processor = real.model, real.processor
        self.asked: list[tuple[str, Path | None, Path | None]] = []

    def ask(self, question: str, *, image=None, video=None, stream: bool):
        assert stream
        self.asked.append((question, image, video))
        yield from ("what ", "was ", question)


@pytest.fixture(scope="module")
def variant():
    from plm_components.opening import assemble

    return assemble("plm-tiny", overrides=["weights=null", "decoder.num_layers=1"], init="random")


def test_a_demo_asks_four_questions_of_each_and_leaves_three_files(variant, tmp_path: Path) -> None:
    echo, said = Echo(variant), StringIO()
    demo = run_demo(3, tmp_path / "new" / "folder", variant=echo, to=said)

    assert [demo.image.name, demo.video.name, demo.sheet.name] == [
        "image.png",
        "video.mp4",
        "demo.png",
    ]
    assert all(path.stat().st_size > 0 for path in (demo.image, demo.video, demo.sheet))
    assert [asked[1:] for asked in echo.asked] == [(demo.image, None)] * 4 + [
        (None, demo.video)
    ] * 4
    assert len({asked[0] for asked in echo.asked[:4]}) == 4
    assert demo.num_right == 0
    for one in demo.exchanges:
        asked = f"\n  {one.question}\n    truth   {one.truth}\n"
        assert f"{asked}    answer  what was {one.question}   wrong\n" in said.getvalue()


def test_the_same_seed_draws_the_same_files(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
    first = [draw(5, tmp_path / "one", 4) for draw in (draw_image, draw_video)]
    again = [draw(5, tmp_path / "two", 4) for draw in (draw_image, draw_video)]

    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.frames_FHW3, other.frames_FHW3)
        assert one.questions == other.questions
        assert len(one.questions) == 4


def test_another_seed_draws_something_else(tmp_path: Path) -> None:
    pictures = [draw_image(seed, tmp_path, 4).frames_FHW3 for seed in range(4)]

    assert len({picture.tobytes() for picture in pictures}) == 4


def test_a_seed_out_of_range_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        draw_image(-1, tmp_path, 4)

    assert str(caught.value) == (
        "-1 cannot be a seed.\n"
        "  where:    demo, seed\n"
        "  expected: a whole number from 0 to 2147483647\n"
        "  fix:      choose another, or none for a fresh one"
    )


def test_right_is_word_for_word() -> None:
    assert Exchange("where?", "top left", " top left\n").right
    assert not Exchange("where?", "top left", "top").right


@pytest.mark.parametrize("size", [(640, 360), (360, 640), (64, 64)])
def test_nothing_on_the_page_leaves_its_margins(size: tuple[int, int]) -> None:
    picture = Image.new("RGB", size, (90, 10, 10))
    longest = Exchange("why " * 40, "x" * 400, "because " * 60 + "y" * 300)
    story = Story(
        "A title",
        "and a line",
        picture,
        [longest] * 4,
        [Frame(picture, 0.5)] * 8,
        [longest] * 4,
        "end",
    )
    page_HW3 = np.asarray(draw_sheet(story))
    inside = (page_HW3 != np.array(PAPER)).any((0, 2)).nonzero()[0]

    assert page_HW3.shape[1] == WIDTH
    # a hairline around pictures may stand one pixel out
    assert inside.min() >= MARGIN - 1
    assert inside.max() <= WIDTH - MARGIN


def test_text_breaks_between_words_and_within_one_only_where_it_must() -> None:
    assert wrap("one two three", 20, 10_000) == ["one two three"]
    assert wrap("one two three", 20, 1) == ["o", "n", "e", "t", "w", "o", "t", "h", "r", "e", "e"]
    assert (
        " ".join(wrap("where does the red circle end?", 20, 120))
        == "where does the red circle end?"
    )


@pytest.mark.parametrize("name", ["image.png", "video.mp4", "demo.png"])
def test_files_of_others_are_never_replaced(variant, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"a holiday")
    with pytest.raises(UsageError) as caught:
        run_demo(3, tmp_path, variant=Echo(variant), to=StringIO())

    assert str(caught.value) == (
        "A file that no demo drew has the name of one that it would draw.\n"
        f"  where:    {tmp_path / name}\n"
        "  expected: a new folder, an earlier demo's, or one without image.png, video.mp4, "
        "demo.png\n"
        "  fix:      choose another folder: plm demo --out FOLDER"
    )
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [(name, b"a holiday")]


def test_an_earlier_demo_is_drawn_over_even_one_that_was_interrupted(
    variant, tmp_path: Path
) -> None:
    run_demo(3, tmp_path, variant=Echo(variant), to=StringIO())
    (tmp_path / "demo.png").unlink()
    first = (tmp_path / "image.png").read_bytes()
    run_demo(4, tmp_path, variant=Echo(variant), to=StringIO())

    assert (tmp_path / "image.png").read_bytes() != first
    assert (tmp_path / "demo.png").is_file()


def test_a_seed_out_of_range_leaves_no_folder(variant, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be a seed"):
        run_demo(-1, tmp_path / "new", variant=Echo(variant), to=StringIO())
    assert list(tmp_path.iterdir()) == []
