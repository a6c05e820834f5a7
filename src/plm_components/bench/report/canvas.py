"""A figure measured in inches, so that text never meets a bar."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from textwrap import shorten
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from plm_components.bench.report.theme import Theme

DPI = 144
# widths of a letter of the typeface at the size of the text, in inches
_LETTER = 0.083
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
        letters = int((self.width - 2 * MARGIN) / _LETTER * SIZE / style.get("fontsize", SIZE))
        self.text(MARGIN, top, shorten(text, letters, placeholder=" …"), **style)

    def save(self, path: Path) -> None:
        """Writes a PNG; the same figures give the same file."""
        self.figure.savefig(path, metadata={"Software": None})


def room(texts: Sequence[str]) -> float:
    """Inches that the longest of some texts takes at the usual size."""
    return _LETTER * max((len(text) for text in texts), default=0)
