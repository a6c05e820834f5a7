"""A sheet of paper to draw pictures and text on.

Everything is drawn with Pillow and the typeface it carries, so that it looks the same everywhere.
"""

from __future__ import annotations

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
