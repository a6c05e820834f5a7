"""Bars: who computes one thing, how fast, and how far from float64."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from plm_components.bench.report.amounts import digits, share, time_unit, times
from plm_components.bench.report.canvas import (
    MARGIN,
    SIZE,
    SMALL,
    TITLE,
    Canvas,
    fitted,
    room,
    width_of,
)
from plm_components.bench.report.standing import Standing, fault_of
from plm_components.bench.report.subjects import Panel, own_sizes, shared_sizes, spelt
from plm_components.bench.report.theme import Theme

_ROW, _HEAD, _GAP, _AXIS, _TOP, _FOOT = 0.29, 0.3, 0.2, 0.3, 0.95, 0.62
_BARS, _BETWEEN = 4.2, 0.28
# the legend has to fit
_LEAST = 10.4
_COLUMNS = ("time", "against the oracle", "error", "of roofline")
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
    rights = _rights(panels, left + _BARS)
    heads = [spelt(own_sizes(panel, panels)) for panel in panels]
    heights = [_height(panel, head) for panel, head in zip(panels, heads, strict=True)]
    canvas = Canvas(max(rights[-1] + MARGIN, _LEAST), _TOP + sum(heights) + _FOOT, theme)
    _title(canvas, panels)
    _headings(canvas, rights)
    top = _TOP
    for panel, head, height in zip(panels, heads, heights, strict=True):
        if head:
            canvas.line(top + _HEAD / 2, head, weight="bold")
        _panel(canvas, panel, left, top + (_HEAD if head else 0.0), rights)
        top += height
    for number, text in enumerate(_LEGEND):
        canvas.line(top + 0.2 * number, text, fontsize=SMALL, color=theme.soft)
    canvas.save(path)


def _rights(panels: Sequence[Panel], left: float) -> list[float]:
    """Where each column of text ends."""
    rows = [_texts(one, _unit(panel)) for panel in panels for one in panel.standings]
    rights = []
    for number, heading in enumerate(_COLUMNS):
        widest = max([width_of(heading, SMALL), room([row[number] for row in rows])])
        left += _BETWEEN + widest
        rights.append(left)
    return rights


def _height(panel: Panel, head: str) -> float:
    return (_HEAD if head else 0.0) + _ROW * _rows(panel) + _AXIS + _GAP


def _rows(panel: Panel) -> int:
    return len(panel.standings) + len(panel.wrong)


def _labels(panel: Panel) -> list[str]:
    return [_label(one) for one in panel.standings] + [one.part for one in panel.wrong]


def _label(standing: Standing) -> str:
    notes = [*(["oracle"] * standing.is_oracle), *(["fast"] * (not standing.is_exact))]
    return f"{standing.record.part} ({', '.join(notes)})" if notes else standing.record.part


def _title(canvas: Canvas, panels: Sequence[Panel]) -> None:
    topic, run = panels[0].topic, panels[0].run
    canvas.line(0.3, topic.title, fontsize=TITLE, weight="bold")
    told = (run.hardware, topic.mode, spelt(shared_sizes(panels)))
    where = " · ".join(filter(None, told))
    canvas.line(0.56, where, fontsize=SMALL, color=canvas.theme.soft)


def _headings(canvas: Canvas, rights: Sequence[float]) -> None:
    for heading, right in zip(_COLUMNS, rights, strict=True):
        canvas.text(right, 0.83, heading, ha="right", fontsize=SMALL, color=canvas.theme.soft)


def _panel(canvas: Canvas, panel: Panel, left: float, top: float, rights: Sequence[float]) -> None:
    _bars(canvas, panel, left, top)
    for row, one in enumerate(panel.standings):
        _figures(canvas, one, _unit(panel), top + _ROW * (row + 0.5), rights)
    for row, record in enumerate(panel.wrong, start=len(panel.standings)):
        says = fitted(f"wrong, so no time: {fault_of(record)}", rights[-1] - left, SMALL)
        place = top + _ROW * (row + 0.5)
        canvas.text(left + 0.08, place, says, color=canvas.theme.bad, fontsize=SMALL)


def _bars(canvas: Canvas, panel: Panel, left: float, top: float) -> None:
    rows, theme = _rows(panel), canvas.theme
    axes = canvas.axes(left, top, _BARS, _ROW * rows)
    scale, unit = _unit(panel)
    for row, one in enumerate(panel.standings):
        axes.barh(
            row,
            one.median_s / scale,
            height=0.62,
            color=_colour(one, theme),
            edgecolor=theme.ink if one.is_oracle else "none",
            hatch="////" if one.is_oracle else None,
            linewidth=1.0,
        )
        middle_half = [quartile / scale for quartile in one.quartiles_s]
        axes.plot(middle_half, [row, row], color=theme.ink, linewidth=1.2)
    axes.set_ylim(rows - 0.5, -0.5)
    axes.set_xlim(0, _slowest_s(panel) / scale * 1.02)
    axes.set_yticks(range(rows), _labels(panel), fontsize=SIZE)
    wins = [one.wins for one in panel.standings]
    for row, label in enumerate(axes.get_yticklabels()):
        label.set_color(theme.ink if row < len(wins) else theme.bad)
        label.set_fontweight("bold" if row < len(wins) and wins[row] else "normal")
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color=theme.faint, linewidth=0.7)
    axes.set_axisbelow(True)
    canvas.text(
        left + _BARS + 0.12, top + _ROW * rows + 0.13, unit, fontsize=SMALL, color=theme.soft
    )


def _slowest_s(panel: Panel) -> float:
    return max((one.quartiles_s[1] for one in panel.standings), default=1.0)


def _unit(panel: Panel) -> tuple[float, str]:
    return time_unit(_slowest_s(panel))


def _figures(
    canvas: Canvas,
    one: Standing,
    unit: tuple[float, str],
    top: float,
    rights: Sequence[float],
) -> None:
    theme = canvas.theme
    for heading, right, text in zip(_COLUMNS, rights, _texts(one, unit), strict=True):
        loose = heading == "error" and not one.is_exact
        canvas.text(
            right,
            top,
            text,
            ha="right",
            fontsize=SMALL + 0.5,
            weight="bold" if one.wins else "normal",
            color=theme.loose if loose else theme.ink,
        )


def _texts(one: Standing, unit: tuple[float, str]) -> tuple[str, str, str, str]:
    """The columns of a row; times in one unit, so that the eye can compare them."""
    return (
        f"{digits(one.median_s / unit[0])} {unit[1]}",
        gain_text(one),
        error_text(one),
        "–" if one.roofline_share is None else share(one.roofline_share),
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
