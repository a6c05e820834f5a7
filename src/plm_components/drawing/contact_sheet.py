"""All frames that were looked at on one sheet, some of them marked."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from PIL import Image

from plm_components.drawing.page import (
    BODY,
    GAP,
    GOOD,
    INK,
    MARGIN,
    PAPER,
    SMALL,
    SOFT,
    WIDTH,
    Page,
    font,
    wrap,
)

_FEWEST_COLUMNS, _MOST_COLUMNS = 4, 8
_BORDER = 6
_COLUMN_GAP = 16


def draw_contact_sheet(
    pictures: Sequence[Image.Image],
    labels: Sequence[str],
    marked: Collection[int],
    *,
    heading: str,
) -> Image.Image:
    """Rows of frames under a heading, ``WIDTH`` pixels wide.

    Args:
        pictures: RGB, all of one size.
        labels: A line below each.
        marked: Places of those that get a border and a bold label.
        heading: Text above them, wrapped.
    """
    columns = min(max(len(pictures), _FEWEST_COLUMNS), _MOST_COLUMNS)
    side = (WIDTH - 2 * MARGIN - _COLUMN_GAP * (columns - 1)) // columns
    # a frame may be twice as high as it is wide, not more
    room = (side, min(2 * side, round(side * pictures[0].height / pictures[0].width)))
    lines = [
        line
        for paragraph in heading.splitlines()
        for line in wrap(paragraph, BODY, WIDTH - 2 * MARGIN)
    ]
    row = room[1] + SMALL + 2 * GAP
    rows = -(-len(pictures) // columns)
    height = 2 * MARGIN + len(lines) * (BODY + 9) + GAP + rows * row
    page = Page(Image.new("RGB", (WIDTH, height), PAPER))
    for line in lines:
        page.text(MARGIN, page.y, line, BODY, INK)
        page.y += BODY + 9
    page.y += GAP
    for place, (picture, label) in enumerate(zip(pictures, labels, strict=True)):
        x = MARGIN + place % columns * (side + _COLUMN_GAP)
        y = page.y + place // columns * row
        _frame(page, (x, y), picture, room, label, is_marked=place in marked)
    return page.canvas


def _frame(
    page: Page,
    corner: tuple[int, int],
    picture: Image.Image,
    room: tuple[int, int],
    label: str,
    *,
    is_marked: bool,
) -> None:
    x, y = corner
    width, height = page.paste(picture, x, y, room)
    if is_marked:
        box = (x - _BORDER, y - _BORDER, x + width + _BORDER - 1, y + height + _BORDER - 1)
        page.draw.rectangle(box, outline=GOOD, width=_BORDER)
    shift = max(0, (width - round(font(SMALL).getlength(label))) // 2)
    colour = GOOD if is_marked else SOFT
    page.text(x + shift, y + height + 10, label, SMALL, colour, bold=is_marked)
