"""A figure measured in inches, so that text never meets a bar."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextToPath

from plm_components.bench.report.theme import Theme

DPI = 144
_MEASURE = TextToPath()
SIZE, SMALL, TITLE = 10.0, 8.5, 13.0
MARGIN = 0.25


class Canvas:
    """A sheet on which everything has its place in inches from the top left corner."""

    def __init__(self, width: float, height: float, theme: Theme) -> None:
        self.width, self.height, self.theme = width, height, theme
        self.figure = Figure(figsize=(width, height), dpi=DPI, facecolor=theme.paper)

    def axes(self, left: float, top: float, width: float, height: float) -> Axes:
        """A plot there, without a box around it."""
        axes = self.figure.add_axes(
            (
                left / self.width,
                1 - (top + height) / self.height,
                width / self.width,
                height / self.height,
            ),
            facecolor=self.theme.paper,
        )
        axes.tick_params(colors=self.theme.soft, labelsize=SMALL, length=3)
        for name, spine in axes.spines.items():
            spine.set_visible(name in ("left", "bottom"))
            spine.set_color(self.theme.faint)
        return axes

    def text(self, left: float, top: float, text: str, **style: Any) -> None:
        """Text whose middle line is there."""
        how: dict[str, Any] = {"color": self.theme.ink, "fontsize": SIZE, "va": "center", **style}
        self.figure.text(left / self.width, 1 - top / self.height, text, **how)

    def line(self, top: float, text: str, **style: Any) -> None:
        """Text from the left margin, cut where the sheet ends."""
        size, weight = style.get("fontsize", SIZE), style.get("weight", "normal")
        self.text(MARGIN, top, fitted(text, self.width - 2 * MARGIN, size, weight), **style)

    def save(self, path: Path) -> None:
        """Writes a PNG; the same figures give the same file."""
        self.figure.savefig(path, metadata={"Software": None})


def room(texts: Sequence[str]) -> float:
    """Inches that the longest of some texts takes at the usual size, were it bold."""
    return max((width_of(text, SIZE, "bold") for text in texts), default=0.0)


def width_of(text: str, size: float = SIZE, weight: str = "normal") -> float:
    """Inches that a text takes."""
    how = FontProperties(size=size, weight=weight)
    return float(_MEASURE.get_text_width_height_descent(text, how, ismath=False)[0]) / 72


def fitted(text: str, width: float, size: float = SIZE, weight: str = "normal") -> str:
    """The text, cut between words to so many inches."""
    words = text.split(" ")
    while len(words) > 1 and width_of(text, size, weight) > width:
        words.pop()
        text = " ".join(words) + " …"
    return text
