"""Bars: who computes one thing, how fast, and how far from float64."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from textwrap import shorten

from plm_components.bench.report.amounts import digits, share, time_unit, times
from plm_components.bench.report.canvas import MARGIN, SMALL, TITLE, Canvas, room
from plm_components.bench.report.standing import Standing
from plm_components.bench.report.subjects import Panel, own_sizes, shared_sizes, spelt
from plm_components.bench.report.theme import Theme

_ROW, _HEAD, _GAP, _AXIS, _TOP, _FOOT = 0.29, 0.3, 0.2, 0.3, 0.95, 0.62
_BARS = 4.2
# where the columns of text stand, right of the bars
_COLUMNS = (("time", 0.85), ("against the oracle", 2.5), ("error", 3.2), ("of roofline", 4.1))
_RIGHT = 4.15
_FAULT_LETTERS = 118
_LEGEND = (
    "Green: the fastest, and whom it is not known to beat. Hatched: the oracle. Yellow: precision "
    "“fast”, which may not win. Dark line: half of the rounds.",
    "✓: within twice the plain kernel's error against float64; the figure is the largest error as "
    "a multiple of the plain kernel's. Brackets: 99 % interval of the median.",
)


def draw_bars(panels: Sequence[Panel], path: Path, theme: Theme) -> None:
    """One panel a size, fastest first, the figures in columns beside the bars.

    Args:
        panels: Of one topic.
        path: Where the PNG goes.
        theme: Its colours.
    """
    left = MARGIN + max(room(_labels(panel)) for panel in panels) + 0.1
    heights = [_height(panel) for panel in panels]
    canvas = Canvas(left + _BARS + _RIGHT + MARGIN, _TOP + sum(heights) + _FOOT, theme)
    _title(canvas, panels, left)
    top = _TOP
    for panel, height in zip(panels, heights, strict=True):
        canvas.line(top + _HEAD / 2, spelt(own_sizes(panel, panels)), weight="bold")
        _bars(canvas, panel, left, top + _HEAD)
        top += height
    for number, text in enumerate(_LEGEND):
        canvas.line(top + 0.2 * number, text, fontsize=SMALL, color=theme.soft)
    canvas.save(path)


def _height(panel: Panel) -> float:
    return _HEAD + _ROW * _rows(panel) + _AXIS + _GAP


def _rows(panel: Panel) -> int:
    return len(panel.standings) + len(panel.wrong)


def _labels(panel: Panel) -> list[str]:
    return [_label(one) for one in panel.standings] + [one.part for one in panel.wrong]


def _label(standing: Standing) -> str:
    notes = [*(["oracle"] * standing.is_oracle), *(["fast"] * (not standing.is_exact))]
    return f"{standing.record.part} ({', '.join(notes)})" if notes else standing.record.part


def _title(canvas: Canvas, panels: Sequence[Panel], left: float) -> None:
    topic, run = panels[0].topic, panels[0].run
    canvas.line(0.3, topic.title, fontsize=TITLE, weight="bold")
    where = " · ".join(
        part for part in (run.hardware, topic.mode, spelt(shared_sizes(panels))) if part
    )
    canvas.line(0.56, where, fontsize=SMALL, color=canvas.theme.soft)
    for name, right in _COLUMNS:
        place = left + _BARS + right
        canvas.text(place, 0.83, name, ha="right", fontsize=SMALL, color=canvas.theme.soft)


def _bars(canvas: Canvas, panel: Panel, left: float, top: float) -> None:
    rows, theme = _rows(panel), canvas.theme
    axes = canvas.axes(left, top, _BARS, _ROW * rows)
    slowest = max((one.quartiles_s[1] for one in panel.standings), default=1.0)
    scale, unit = time_unit(slowest)
    for row, one in enumerate(panel.standings):
        low, high = one.quartiles_s
        axes.barh(
            row,
            one.median_s / scale,
            height=0.62,
            color=_colour(one, theme),
            edgecolor=theme.ink if one.is_oracle else "none",
            hatch="////" if one.is_oracle else None,
            linewidth=1.0,
        )
        axes.plot([low / scale, high / scale], [row, row], color=theme.ink, linewidth=1.2)
        _figures(canvas, one, (scale, unit), left + _BARS, top + _ROW * (row + 0.5))
    for row, record in enumerate(panel.wrong, start=len(panel.standings)):
        fault = "" if record.verdict is None else str(record.verdict.fault)
        says = shorten(f"wrong, so no time: {fault}", _FAULT_LETTERS, placeholder=" …")
        place = top + _ROW * (row + 0.5)
        canvas.text(left + 0.08, place, says, color=theme.bad, fontsize=SMALL)
    axes.set_ylim(rows - 0.5, -0.5)
    axes.set_xlim(0, slowest / scale * 1.02)
    axes.set_yticks(range(rows), _labels(panel), fontsize=10, color=theme.ink)
    for row, one in enumerate(panel.standings):
        axes.get_yticklabels()[row].set_fontweight("bold" if one.wins else "normal")
    for row in range(len(panel.standings), rows):
        axes.get_yticklabels()[row].set_color(theme.bad)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color=theme.faint, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.annotate(
        unit, (1, 0), xytext=(6, -4), xycoords="axes fraction", textcoords="offset points",
        va="top", fontsize=SMALL, color=theme.soft,
    )  # fmt: skip


def _figures(
    canvas: Canvas, one: Standing, unit: tuple[float, str], left: float, top: float
) -> None:
    roofline = one.roofline_share
    texts = (
        f"{digits(one.median_s / unit[0])} {unit[1]}",
        gain_text(one),
        error_text(one),
        "–" if roofline is None else share(roofline),
    )
    for (name, right), text in zip(_COLUMNS, texts, strict=True):
        canvas.text(
            left + right,
            top,
            text,
            ha="right",
            fontsize=SMALL + 0.5,
            weight="bold" if one.wins else "normal",
            color=canvas.theme.loose if name == "error" and not one.is_exact else canvas.theme.ink,
        )


def error_text(one: Standing) -> str:
    """``✓ 0.97×``: the largest error as a multiple of the plain kernel's, with a tick if exact."""
    verdict = one.record.verdict
    if verdict is None:
        return "–"
    return f"{'✓ ' if one.is_exact else ''}{times(verdict.largest)}"


def gain_text(one: Standing) -> str:
    """``4.10× [4.05, 4.16]``."""
    if one.gain is None:
        return "–"
    if one.is_oracle:
        return "1"
    low, middle, high = one.gain
    ends = "" if low == high else f" [{low:.3g}, {high:.3g}]"
    return f"{times(middle)}{ends}"


def _colour(one: Standing, theme: Theme) -> str:
    if one.wins:
        return theme.best
    return theme.other if one.is_exact else theme.loose
