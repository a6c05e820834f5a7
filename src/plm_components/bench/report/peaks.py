"""The roofline of a machine and who comes how near it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter

from plm_components.bench.report.amounts import rate, share
from plm_components.bench.report.canvas import MARGIN, SMALL, TITLE, Canvas, fitted, width_of
from plm_components.bench.report.standing import Standing
from plm_components.bench.report.subjects import Panel, own_sizes, spelt
from plm_components.bench.report.theme import Theme

_LEFT, _TOP, _WIDTH, _HEIGHT, _ROW = 1.15, 1.0, 6.0, 4.4, 0.235
_KEY = _LEFT + _WIDTH + 0.35
_BADGE, _LONGEST = 0.2, 5.5


@dataclass(frozen=True)
class Roof:
    """What the machine was measured to do.

    Args:
        flops_per_s: Of its matrix product.
        bytes_per_s: Of its copy.
    """

    flops_per_s: float
    bytes_per_s: float

    def at(self, intensity: float) -> float:
        """The most operations a second at so many operations a byte."""
        return min(self.flops_per_s, intensity * self.bytes_per_s)


def roof_of(panels: Sequence[Panel]) -> Roof | None:
    """The highest peaks among those that were measured beside these panels; None without any."""
    records = [one.record for panel in panels for one in panel.standings]
    probes = [found for one in records if (found := one.conditions.get("roofline"))]
    if not probes:
        return None
    return Roof(*(max(float(one[key]) for one in probes) for key in ("flops_per_s", "bytes_per_s")))


def best_of(panel: Panel) -> Standing | None:
    """Whom a panel puts under the roof: its fastest exact contender, of an operation with a price.

    None where there is none.
    """
    return next(
        (
            one
            for one in panel.standings
            if one.is_exact and one.record.flops > 0 and one.record.bytes > 0
        ),
        None,
    )


def draw_peaks(panels: Sequence[Panel], roof: Roof, path: Path, theme: Theme) -> None:
    """The fastest exact contender of each panel under the roof, numbered, the oracle below it.

    Args:
        panels: Of one machine, mode and dtype.
        roof: Of that machine in that dtype.
        path: Where the PNG goes.
        theme: Its colours.
    """
    points = [(panel, best) for panel in panels if (best := best_of(panel)) is not None]
    texts = [fitted(_subject(panel, panels), _LONGEST, SMALL) for panel, _ in points]
    reached = [_reached(best) for _, best in points]
    height = max(_TOP + _HEIGHT + 0.8, _TOP + _ROW * (2 * len(points) + 1))
    width = _KEY + 0.3 + max(width_of(text, SMALL) for text in [*texts, *reached]) + MARGIN
    canvas = Canvas(max(width, 11.0), height, theme)
    _title(canvas, points[0][0], roof)
    _plot(canvas, points, roof)
    for number, told in enumerate(zip(texts, reached, strict=True), start=1):
        _entry(canvas, number, *told)
    canvas.save(path)


def _title(canvas: Canvas, panel: Panel, roof: Roof) -> None:
    topic, soft = panel.topic, canvas.theme.soft
    title = f"Under the measured roofline, {topic.dtype}"
    canvas.line(0.3, title, fontsize=TITLE, weight="bold")
    where = (
        f"{panel.run.hardware} · {topic.mode} · matrix product {rate(roof.flops_per_s, 'FLOP/s')}, "
        f"copy {rate(roof.bytes_per_s, 'B/s')}: the best that was measured beside these"
    )
    canvas.line(0.56, where, fontsize=SMALL, color=soft)
    says = "Filled: the fastest exact contender. Hollow: the oracle on the same inputs."
    canvas.line(0.76, says, fontsize=SMALL, color=soft)


def _subject(panel: Panel, panels: Sequence[Panel]) -> str:
    direction = ", forward and backward" if panel.topic.backward else ""
    told = [f"{panel.topic.operation}{direction}", spelt(own_sizes(panel, panels))]
    return ", ".join(filter(None, told))


@dataclass(frozen=True)
class Point:
    """Where a panel stands in the plot.

    Args:
        intensity: Operations a byte.
        speed: Operations a second of its fastest.
        oracle: Of its oracle.
    """

    intensity: float
    speed: float
    oracle: float


def _plot(canvas: Canvas, panels: Sequence[tuple[Panel, Standing]], roof: Roof) -> None:
    theme = canvas.theme
    points = [
        Point(_intensity(best), _speed(best), _speed(_oracle(panel, best)))
        for panel, best in panels
    ]
    axes = canvas.axes(_LEFT, _TOP, _WIDTH, _HEIGHT)
    ridge = roof.flops_per_s / roof.bytes_per_s
    across = [ridge, *(point.intensity for point in points)]
    up = [speed for point in points for speed in (point.speed, point.oracle)]
    x_ends = (min(across) / 3, max(across) * 3)
    y_ends = (min(*up, roof.flops_per_s / 20) / 2, max(*up, roof.flops_per_s) * 2)
    axes.set(xscale="log", yscale="log", xlim=x_ends, ylim=y_ends)
    reach = np.array([x_ends[0], ridge, x_ends[1]])
    axes.plot(reach, [roof.at(x) for x in reach], color=theme.ink, linewidth=1.6, zorder=1)
    shifts = _shifts(
        _inches([point.intensity for point in points], x_ends, _WIDTH),
        _inches([point.speed for point in points], y_ends, _HEIGHT),
    )
    inch = (x_ends[1] / x_ends[0]) ** (1 / _WIDTH)
    for number, (point, shift) in enumerate(zip(points, shifts, strict=True), start=1):
        _mark(axes, theme, number, point, point.intensity * inch**shift)
    _scales(axes, theme)


def _mark(axes: Axes, theme: Theme, number: int, point: Point, aside: float) -> None:
    """A point, its oracle below it, and a badge with its number, aside where it would hide one."""
    x, y = point.intensity, point.speed
    axes.plot([x, x], [point.oracle, y], color=theme.soft, linewidth=0.8, zorder=2)
    axes.plot([x, aside], [y, y], color=theme.best, linewidth=0.8, zorder=2)
    axes.plot(x, point.oracle, "o", ms=5, mfc=theme.paper, mec=theme.soft, zorder=3)
    axes.plot(x, y, "o", ms=4, mfc=theme.best, mec=theme.best, zorder=3)
    axes.plot(aside, y, "o", ms=13, mfc=theme.best, mec=theme.paper, zorder=4)
    axes.text(
        aside,
        y,
        str(number),
        ha="center",
        va="center_baseline",
        fontsize=SMALL - 1,
        color=theme.paper,
        weight="bold",
        zorder=5,
    )


def _scales(axes: Axes, theme: Theme) -> None:
    axes.set_xlabel("operations a byte (FLOP/B)", color=theme.soft, fontsize=SMALL)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.yaxis.set_major_formatter(lambda value, _: rate(value, "FLOP/s"))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_minor_formatter(NullFormatter())
    axes.grid(color=theme.faint, linewidth=0.6)
    axes.tick_params(which="minor", length=0)
    axes.set_axisbelow(True)


def _inches(values: Sequence[float], ends: tuple[float, float], length: float) -> list[float]:
    low, high = np.log10(ends)
    return [float((np.log10(value) - low) / (high - low) * length) for value in values]


def _shifts(across: Sequence[float], up: Sequence[float]) -> list[float]:
    """How far to the side each badge goes so that none hides another, in inches.

    None leaves the plot, where there is room within it.
    """
    placed: list[tuple[float, float]] = []
    shifts = []
    for x, y in zip(across, up, strict=True):
        steps = (sign * _BADGE * step for step in count() for sign in (1, -1))
        shift = next(
            shift
            for shift in steps
            if _BADGE / 2 <= x + shift <= _WIDTH - _BADGE / 2 or abs(shift) > _WIDTH
            if all(np.hypot(x + shift - left, y - top) >= _BADGE for left, top in placed)
        )
        placed.append((x + shift, y))
        shifts.append(shift)
    return shifts


def _oracle(panel: Panel, best: Standing) -> Standing:
    return next((one for one in panel.standings if one.is_oracle), best)


def _entry(canvas: Canvas, number: int, subject: str, reached: str) -> None:
    top, theme = _TOP + _ROW * 2 * (number - 1), canvas.theme
    canvas.text(_KEY + 0.2, top, str(number), ha="right", weight="bold", color=theme.best)
    canvas.text(_KEY + 0.3, top, subject, fontsize=SMALL)
    canvas.text(_KEY + 0.3, top + _ROW * 0.8, reached, fontsize=SMALL, color=theme.soft)


def _reached(best: Standing) -> str:
    least = best.roofline_share
    told = "" if least is None else f", {share(least)} of its roofline"
    return f"{best.record.part}: {rate(_speed(best), 'FLOP/s')}{told}"


def _intensity(one: Standing) -> float:
    return one.record.flops / one.record.bytes


def _speed(one: Standing) -> float:
    return one.record.flops / one.median_s
