"""Where a thing is, how large, how turned and whether it shows, at any time of a clip.

Time runs from 0 (first frame) to 1 (last frame).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True)
class Event:
    """What one thing does in a clip.

    Args:
        kind: One of ``nouns.EVENTS``.
        start: When it begins.
        length: How long it lasts; 0 for an appearance.
        dx: How far it moves rightwards, in picture widths.
        dy: How far it moves downwards, in picture heights.
        growth: Its final radius over its first.
        turn: Radians it turns in all.
    """

    kind: str = "still"
    start: float = 0.0
    length: float = 0.0
    dx: float = 0.0
    dy: float = 0.0
    growth: float = 1.0
    turn: float = 0.0


class Pose(NamedTuple):
    """A thing at one time, relative to how it starts."""

    dx: float
    dy: float
    scale: float
    turn: float
    visible: bool


def pose(event: Event, time: float) -> Pose:
    """The thing at ``time``."""
    if event.kind == "appear":
        return Pose(0.0, 0.0, 1.0, 0.0, time >= event.start)
    if event.kind == "disappear":
        return Pose(0.0, 0.0, 1.0, 0.0, time < event.start)
    done = 0.0
    if event.length > 0:
        done = min(1.0, max(0.0, (time - event.start) / event.length))
    scale = 1.0 + (event.growth - 1.0) * done
    return Pose(event.dx * done, event.dy * done, scale, event.turn * done, True)


def when(event: Event) -> str | None:
    """The name of the time of an event, or None where two names would do."""
    if event.kind == "still":
        return None
    if event.length > 0.7:
        return "the whole time"
    middle = event.start + event.length / 2
    if middle < 0.31:
        return "at the beginning"
    if 0.42 < middle < 0.58:
        return "in the middle"
    return "at the end" if middle > 0.69 else None
