"""The pictures of a report, each drawn for a light page and for a dark one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib import rc_context
from PIL import Image

from plm_components.bench.report.bars import draw_bars
from plm_components.bench.report.canvas import DPI
from plm_components.bench.report.history import draw_history
from plm_components.bench.report.peaks import best_of, draw_peaks, roof_of
from plm_components.bench.report.subjects import Panel, Topic
from plm_components.bench.report.theme import DARK, LIGHT, Theme


@dataclass(frozen=True)
class Picture:
    """A PNG and its dark twin.

    Args:
        light: Its file's name.
        dark: The twin's.
        width: In pixels of a page.
        height: In pixels of a page.
        says: What it shows, for whoever does not see it.
    """

    light: str
    dark: str
    width: int
    height: int
    says: str


def bars(panels: Sequence[Panel], folder: Path) -> Picture:
    """Of one topic."""
    topic = panels[0].topic
    says = f"Bars: who computes {topic.title} how fast, {topic.mode}"
    return _both(lambda path, theme: draw_bars(panels, path, theme), folder, topic.stem, says)


def history(topic: Topic, rows: Sequence[Sequence[Panel]], folder: Path) -> Picture:
    """Of one topic."""
    stem, says = f"{topic.stem}-history", f"Lines: {topic.title} over the runs, {topic.mode}"
    return _both(lambda path, theme: draw_history(rows, path, theme), folder, stem, says)


def rooflines(panels: Sequence[Panel], folder: Path) -> list[Picture]:
    """One a mode and dtype; none where no roofline was measured.

    Args:
        panels: Of one machine.
        folder: Where the pictures go.
    """
    kinds: dict[tuple[str, ...], list[Panel]] = {}
    for panel in panels:
        topic = panel.topic
        if best_of(panel) is not None:
            kind = (topic.slug, topic.device, topic.mode, topic.dtype)
            kinds.setdefault(kind, []).append(panel)
    return [
        _roofline(kind, members, folder)
        for kind, members in kinds.items()
        if roof_of(members) is not None
    ]


def _roofline(kind: tuple[str, ...], panels: Sequence[Panel], folder: Path) -> Picture:
    roof = roof_of(panels)
    assert roof is not None
    slug, _, mode, dtype = kind
    says = f"Roofline: the fastest of each operation under the measured peaks, {dtype}, {mode}"
    stem = f"{slug}-{mode}-roofline-{dtype}"
    return _both(lambda path, theme: draw_peaks(panels, roof, path, theme), folder, stem, says)


def _both(draw: Callable[[Path, Theme], None], folder: Path, stem: str, says: str) -> Picture:
    names = {theme.name: f"{stem}-{theme.name}.png" for theme in (LIGHT, DARK)}
    # a name may hold dollar signs: nothing here is a formula
    with rc_context({"text.parse_math": False}):
        for theme in (LIGHT, DARK):
            draw(folder / names[theme.name], theme)
    with Image.open(folder / names["light"]) as drawn:
        # the typeface's size on the page is that of the page's text
        width, height = (round(side * 96 / DPI) for side in drawn.size)
    return Picture(names["light"], names["dark"], width, height, says)
