"""One operation over the runs of one machine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes

from plm_components.bench.report.amounts import time_unit
from plm_components.bench.report.canvas import MARGIN, SMALL, TITLE, Canvas, room
from plm_components.bench.report.subjects import Panel, own_sizes, shared_sizes, spelt
from plm_components.bench.report.theme import Theme

_LEFT, _TOP, _WIDTH, _HEIGHT, _HEAD, _AXIS, _LINE = 0.85, 0.75, 6.6, 2.3, 0.35, 0.75, 0.25
_KEY = _LEFT + _WIDTH + 0.2
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
    parts = list(
        dict.fromkeys(one.record.part for row in rows for panel in row for one in panel.standings)
    )
    height = max(_HEIGHT, _LINE * len(parts))
    each = _HEAD + height + _AXIS
    canvas = Canvas(_KEY + 0.3 + room(parts) + MARGIN, _TOP + each * len(rows), theme)
    newest = [row[-1] for row in rows]
    _title(canvas, newest)
    for number, row in enumerate(rows):
        top = _TOP + each * number
        own = spelt(own_sizes(row[-1], newest))
        canvas.line(top + _HEAD / 2, own, weight="bold", fontsize=SMALL + 1)
        axes = canvas.axes(_LEFT, top + _HEAD, _WIDTH, height)
        _lines(axes, row, parts)
        _scales(axes, row, theme)
        _key(canvas, parts, top + _HEAD)
    canvas.save(path)


def _title(canvas: Canvas, newest: Sequence[Panel]) -> None:
    topic, run = newest[0].topic, newest[0].run
    canvas.line(0.3, f"{topic.title}, over time", fontsize=TITLE, weight="bold")
    bars = "median, and half of the rounds around it"
    told = (run.hardware, topic.mode, spelt(shared_sizes(newest)), bars)
    canvas.line(0.56, " · ".join(filter(None, told)), fontsize=SMALL, color=canvas.theme.soft)


def _style(number: int) -> dict[str, Any]:
    """Of a line, the same in every plot; no two of 64 are alike."""
    mark = (number + number // len(_COLOURS)) % len(_MARKS)
    return {"color": _COLOURS[number % len(_COLOURS)], "marker": _MARKS[mark], "markersize": 6}


def _lines(axes: Axes, row: Sequence[Panel], parts: Sequence[str]) -> None:
    scale, _ = _unit(row)
    for number, part in enumerate(parts):
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
            linewidth=1.4,
            elinewidth=1.0,
            **_style(number),
        )


def _scales(axes: Axes, row: Sequence[Panel], theme: Theme) -> None:
    scale, unit = _unit(row)
    axes.set_ylim(0, _slowest_s(row) / scale * 1.08)
    axes.set_xlim(-0.3, len(row) - 0.7)
    axes.set_xticks(range(len(row)), [_when(panel) for panel in row])
    axes.set_ylabel(unit, color=theme.soft, fontsize=SMALL, rotation=0, ha="right")
    axes.grid(axis="y", color=theme.faint, linewidth=0.6)
    axes.set_axisbelow(True)


def _key(canvas: Canvas, parts: Sequence[str], top: float) -> None:
    """Marks and names, right of the plot."""
    marks = canvas.axes(_KEY, top, 0.2, _LINE * len(parts))
    marks.set_axis_off()
    marks.set(xlim=(-1, 1), ylim=(len(parts) - 0.5, -0.5), xticks=[], yticks=[])
    for number, part in enumerate(parts):
        marks.plot(0, number, clip_on=False, **_style(number))
        canvas.text(_KEY + 0.28, top + _LINE * (number + 0.5), part, fontsize=SMALL)


def _unit(row: Sequence[Panel]) -> tuple[float, str]:
    return time_unit(_slowest_s(row))


def _slowest_s(row: Sequence[Panel]) -> float:
    return max((one.quartiles_s[1] for panel in row for one in panel.standings), default=1.0)


def _when(panel: Panel) -> str:
    run = panel.run
    return "\n".join(part for part in (run.when[:10], run.when[11:16], run.commit[:7]) if part)
