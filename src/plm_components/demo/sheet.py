"""The demo's one picture: the image and the frames, what was asked, what was answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from plm_components.drawing.page import (
    BAD,
    BODY,
    GAP,
    HEAD,
    INK,
    MARGIN,
    MARK,
    PAPER,
    SMALL,
    SOFT,
    TITLE,
    WIDTH,
    Page,
    font,
    wrap,
)


@dataclass(frozen=True)
class Exchange:
    """One question, what is true and what was answered.

    Args:
        question: As it was asked.
        truth: The answer the scene's own description gives.
        answer: What the model said.
    """

    question: str
    truth: str
    answer: str

    @property
    def right(self) -> bool:
        """Whether the answer is the truth, word for word."""
        return self.answer.strip() == self.truth.strip()


@dataclass(frozen=True)
class Frame:
    """One frame of the video.

    Args:
        picture: RGB.
        time_s: When it is shown.
    """

    picture: Image.Image
    time_s: float


@dataclass(frozen=True)
class Story:
    """Everything the picture shows.

    Args:
        title: The large line.
        subtitle: The line below it.
        image: RGB.
        image_exchanges: Asked of the image.
        frames: The frames the model looked at.
        video_exchanges: Asked of the video.
        footer: The last line: how to make this picture again.
    """

    title: str
    subtitle: str
    image: Image.Image
    image_exchanges: Sequence[Exchange]
    frames: Sequence[Frame]
    video_exchanges: Sequence[Exchange]
    footer: str


def draw_sheet(story: Story) -> Image.Image:
    """Draws the story, ``WIDTH`` pixels wide and as high as it needs."""
    height = 2000
    while True:
        # on paper that is high enough, then cut below the last line
        page = Page(Image.new("RGB", (WIDTH, height), PAPER))
        _header(page, story)
        _image_section(page, story)
        _video_section(page, story)
        page.y += 2 * GAP
        page.text(MARGIN, page.y, story.footer, SMALL, SOFT)
        bottom = page.y + SMALL + MARGIN
        if bottom <= height:
            return page.canvas.crop((0, 0, WIDTH, bottom))
        height = bottom


def _header(page: Page, story: Story) -> None:
    page.text(MARGIN, page.y, story.title, TITLE, INK, bold=True)
    page.y += TITLE + GAP
    page.text(MARGIN, page.y, story.subtitle, HEAD, SOFT)
    page.y += HEAD + 2 * GAP


def _section(page: Page, title: str, exchanges: Sequence[Exchange]) -> None:
    page.rule()
    page.y += GAP + 4
    page.text(MARGIN, page.y, title, HEAD, INK, bold=True)
    score = f"{sum(one.right for one in exchanges)} of {len(exchanges)} right"
    page.text(WIDTH - MARGIN - round(font(HEAD).getlength(score)), page.y, score, HEAD, SOFT)
    page.y += HEAD + GAP + 8


def _image_section(page: Page, story: Story) -> None:
    _section(page, "One image", story.image_exchanges)
    side = 520
    _, height = page.paste(story.image, MARGIN, page.y, (side, side))
    column = MARGIN + side + 2 * GAP + 8
    bottom = _exchanges(page, story.image_exchanges, column, page.y, WIDTH - MARGIN - column)
    page.y = max(page.y + height, bottom) + 2 * GAP


def _video_section(page: Page, story: Story) -> None:
    _section(page, "One video", story.video_exchanges)
    _strip(page, story.frames)
    half = (WIDTH - 2 * MARGIN - 2 * GAP) // 2
    middle = (len(story.video_exchanges) + 1) // 2
    left = _exchanges(page, story.video_exchanges[:middle], MARGIN, page.y, half)
    right = _exchanges(page, story.video_exchanges[middle:], MARGIN + half + 2 * GAP, page.y, half)
    page.y = max(left, right)


def _strip(page: Page, frames: Sequence[Frame]) -> None:
    gap, width = 12, WIDTH - 2 * MARGIN
    side = (width - gap * (len(frames) - 1)) // len(frames)
    height = 0
    for index, frame in enumerate(frames):
        # spread over the whole width, so that the last frame ends where the rule does
        x = MARGIN + round(index * (width - side) / max(1, len(frames) - 1))
        _, height = page.paste(frame.picture, x, page.y, (side, 2 * side))
        label = f"{frame.time_s:.1f} s"
        shift = (side - round(font(SMALL).getlength(label))) // 2
        page.text(x + shift, page.y + height + 10, label, SMALL, SOFT)
    page.y += height + 10 + SMALL + 2 * GAP


def _exchanges(page: Page, exchanges: Sequence[Exchange], x: int, y: int, width: int) -> int:
    for exchange in exchanges:
        y = _exchange(page, exchange, x, y, width) + GAP + 6
    return y - GAP - 6


def _exchange(page: Page, exchange: Exchange, x: int, y: int, width: int) -> int:
    page.mark(x, y, exchange.right)
    inner, room = x + MARK + 20, width - MARK - 20
    for line in wrap(exchange.question, BODY, room):
        page.text(inner, y, line, BODY, SOFT)
        y += BODY + 9
    for line in wrap(exchange.answer or "(no answer)", BODY, room):
        page.text(inner, y, line, BODY, INK, bold=True)
        y += BODY + 9
    if not exchange.right:
        for line in wrap(f"in truth: {exchange.truth}", BODY, room):
            page.text(inner, y, line, BODY, BAD)
            y += BODY + 9
    return y
