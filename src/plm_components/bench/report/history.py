"""One operation over the runs of one machine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from plm_components.bench.report.amounts import time_unit
from plm_components.bench.report.canvas import MARGIN, SMALL, TITLE, Canvas, room
from plm_components.bench.report.subjects import Panel, own_sizes, shared_sizes, spelt
from plm_components.bench.report.theme import Theme

_LEFT, _TOP, _WIDTH, _HEIGHT, _HEAD, _AXIS = 0.85, 0.75, 6.6, 2.3, 0.35, 0.75
# told apart by colour and by mark, for whoever sees no colour
_MARKS = ("o", "s", "^", "D", "v", "P", "X", "*")
_COLOURS = ("#15795a", "#3d6fb6", "#c06a1d", "#8a4fa3", "#b8344a", "#5f7d1e", "#2a8c9c", "#7a7f88")


def draw_history(rows: Sequence[Sequence[Panel]], path: Path, theme: Theme) -> None:
    """One plot a size: medians with the middle half of the rounds, a line a contender.

    Args:
        rows: A size's panels, oldest first; of one topic.
        path: Where the PNG goes.
        theme: Its colours.
    """
    parts = list(dict.fromkeys(part for row in rows for panel in row for part in _parts(panel)))
    key = _LEFT + _WIDTH + 0.3
    each = _HEAD + _HEIGHT + _AXIS
    canvas = Canvas(key + 0.3 + room(parts) + MARGIN, _TOP + each * len(rows), theme)
    topic, run = rows[0][0].topic, rows[0][-1].run
    title = f"{topic.title}, over time"
    canvas.line(0.3, title, fontsize=TITLE, weight="bold")
    newest = [row[-1] for row in rows]
    where = " · ".join(
        filter(
            None,
            [
                run.hardware,
                topic.mode,
                spelt(shared_sizes(newest)),
                "median, and half of the rounds around it",
            ],
        )
    )
    canvas.line(0.56, where, fontsize=SMALL, color=theme.soft)
    for number, row in enumerate(rows):
        top = _TOP + each * number
        own = spelt(own_sizes(row[-1], newest))
        canvas.line(top + _HEAD / 2, own, weight="bold", fontsize=SMALL + 1)
        _plot(canvas, row, parts, top + _HEAD, key)
    canvas.save(path)


def _parts(panel: Panel) -> list[str]:
    return [one.record.part for one in panel.standings]


def _plot(
    canvas: Canvas, row: Sequence[Panel], parts: Sequence[str], top: float, key: float
) -> None:
    theme = canvas.theme
    axes = canvas.axes(_LEFT, top, _WIDTH, _HEIGHT)
    slowest = max((one.quartiles_s[1] for panel in row for one in panel.standings), default=1.0)
    scale, unit = time_unit(slowest)
    for number, part in enumerate(parts):
        colour, mark = _COLOURS[number % len(_COLOURS)], _MARKS[number % len(_MARKS)]
        found = [
            (when, one)
            for when, panel in enumerate(row)
            for one in panel.standings
            if one.record.part == part
        ]
        axes.errorbar(
            [when for when, _ in found],
            [one.median_s / scale for _, one in found],
            yerr=(
                [(one.median_s - one.quartiles_s[0]) / scale for _, one in found],
                [(one.quartiles_s[1] - one.median_s) / scale for _, one in found],
            ),
            color=colour,
            marker=mark,
            markersize=6,
            linewidth=1.4,
            elinewidth=1.0,
        )
        place = top + 0.12 + 0.25 * number
        # the key has the mark itself, drawn in the margin of the axes' own units
        axes.plot(
            [(key - _LEFT) / _WIDTH], [1 - (0.12 + 0.25 * number) / _HEIGHT],
            marker=mark, color=colour, markersize=6, transform=axes.transAxes, clip_on=False,
        )  # fmt: skip
        canvas.text(key + 0.15, place, part, fontsize=SMALL)
    axes.set_ylim(0, slowest / scale * 1.08)
    axes.set_xlim(-0.3, len(row) - 0.7)
    axes.set_xticks(range(len(row)), [_when(panel) for panel in row])
    axes.set_ylabel(unit, color=theme.soft, fontsize=SMALL, rotation=0, ha="right")
    axes.grid(axis="y", color=theme.faint, linewidth=0.6)
    axes.set_axisbelow(True)


def _when(panel: Panel) -> str:
    run = panel.run
    return "\n".join(part for part in (run.when[:10], run.when[11:16], run.commit[:7]) if part)
