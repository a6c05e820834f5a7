"""The demo's one picture: the image and the frames, what was asked, what was answered.

Everything is drawn with Pillow and the typeface it carries, so that it looks the same everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from PIL import Image, ImageDraw, ImageFont

WIDTH = 1600
MARGIN = 88
GAP = 24
MARK = 34
INK = (24, 26, 31)
SOFT = (112, 118, 130)
FAINT = (226, 229, 234)
PAPER = (252, 252, 250)
GOOD = (22, 128, 84)
BAD = (196, 53, 44)

# point sizes of the four voices of the page
TITLE, HEAD, BODY, SMALL = 58, 30, 27, 20


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


class Page:
    """A canvas with a pen that moves down."""

    def __init__(self, canvas: Image.Image) -> None:
        self.canvas = canvas
        self.draw = ImageDraw.Draw(canvas)
        self.y = MARGIN

    def text(
        self, x: int, y: int, text: str, size: int, colour: tuple[int, int, int], bold: bool = False
    ) -> None:
        """Text with its top left corner at ``(x, y)``; bold is a stroke, there is one weight."""
        stroke = size / 60 if bold else 0
        self.draw.text((x, y), text, fill=colour, font=font(size), stroke_width=stroke)

    def rule(self) -> None:
        """A faint line across the page."""
        self.draw.line([(MARGIN, self.y), (WIDTH - MARGIN, self.y)], fill=FAINT, width=2)

    def paste(self, picture: Image.Image, x: int, y: int, room: tuple[int, int]) -> tuple[int, int]:
        """A picture as large as fits the room, a hairline around it; returns its size."""
        scale = min(room[0] / picture.width, room[1] / picture.height)
        size = (round(picture.width * scale), round(picture.height * scale))
        fitted = picture.convert("RGB").resize(size, Image.Resampling.LANCZOS)
        self.canvas.paste(fitted, (x, y))
        self.draw.rectangle((x - 1, y - 1, x + size[0], y + size[1]), outline=FAINT, width=1)
        return size

    def mark(self, x: int, y: int, right: bool) -> None:
        """A tick or a cross in a disc."""
        disc = _disc(right)
        self.canvas.paste(disc, (x, y), disc)


def _disc(right: bool) -> Image.Image:
    # drawn four times too large and shrunk: Pillow's own ellipse has stairs
    large = Image.new("RGBA", (4 * MARK, 4 * MARK), (*(GOOD if right else BAD), 0))
    draw = ImageDraw.Draw(large)
    draw.ellipse((0, 0, 4 * MARK - 1, 4 * MARK - 1), fill=GOOD if right else BAD)
    tick = [((38, 72), (60, 94), (102, 46))]
    cross = [((46, 46), (90, 90)), ((90, 46), (46, 90))]
    for stroke in tick if right else cross:
        draw.line(stroke, fill=PAPER, width=15, joint="curve")
    return large.resize((MARK, MARK), Image.Resampling.LANCZOS)


@cache
def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """The typeface Pillow carries."""
    return ImageFont.load_default(size)


def wrap(text: str, size: int, width: int) -> list[str]:
    """Breaks text so that each line fits: between words, within one only where it must."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and font(size).getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines += _chop(word, size, width)
    return lines


def _chop(word: str, size: int, width: int) -> list[str]:
    pieces = [""]
    for letter in word:
        if pieces[-1] and font(size).getlength(pieces[-1] + letter) > width:
            pieces.append("")
        pieces[-1] += letter
    return pieces


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
