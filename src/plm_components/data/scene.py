"""Draws a scene from a seed: things, their colors, places and events, and what is behind them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from random import Random

from plm_components.data.motion import Event, pose
from plm_components.data.nouns import (
    CHANGES,
    COLORS,
    ENTRANCES,
    MOVES,
    NUM_FRAMES,
    SHAPES,
    SIZES,
    place_of,
)
from plm_components.data.palette import RGB, backdrop, shade

# radii in picture sides (the geometric mean of width and height); gaps between the names
_RADII = {"small": (0.06, 0.078), "medium": (0.1, 0.12), "large": (0.15, 0.18)}
_LARGEST = 0.3


@dataclass(frozen=True)
class Thing:
    """One shape of a scene.

    Args:
        shape: Its shape's name.
        color: Its color's name.
        size: Its size's name.
        x: Centre at the start, in picture widths.
        y: Centre at the start, in picture heights.
        radius: At the start, in picture sides.
        angle: Radians it stands turned.
        style: 0..1, see ``outlines``.
        rgb: The shade of its color.
        outline: Shade of a thin line around it, or None.
        event: What it does in a clip.
    """

    shape: str
    color: str
    size: str
    x: float
    y: float
    radius: float
    angle: float
    style: float
    rgb: RGB
    outline: RGB | None
    event: Event

    @property
    def place(self) -> str:
        """Where it starts."""
        return place_of(self.x, self.y)

    @property
    def last_place(self) -> str:
        """Where it ends."""
        return place_of(self.x + self.event.dx, self.y + self.event.dy)

    @property
    def name(self) -> str:
        """Color and shape."""
        return f"{self.color} {self.shape}"


@dataclass(frozen=True)
class Background:
    """What is behind the things.

    Args:
        near: Its shade, or the shade where a gradient begins.
        far: The shade where the gradient ends; the same for a plain one.
        direction: Of the gradient, radians.
        grain: Standard deviation of its texture, 0..1.
    """

    near: RGB
    far: RGB
    direction: float
    grain: float


@dataclass(frozen=True)
class Scene:
    """A picture or a clip before it is drawn.

    Args:
        seed: It was drawn from.
        kind: ``image`` or ``video``.
        things: In reading order of where they start.
        background: Behind them.
        aspect: Width over height of the picture.
        edge_px: How soft edges are, in pixels of a tile of 112.
    """

    seed: int
    kind: str
    things: tuple[Thing, ...]
    background: Background
    aspect: float
    edge_px: float


def image_scene(seed: int) -> Scene:
    """A picture of one to four things, each in a third of its own."""
    lots = Random(f"image {seed}")
    count = lots.choices((1, 2, 3, 4), weights=(30, 32, 28, 10))[0]
    return _scene(seed, "image", lots, count)


def video_scene(seed: int) -> Scene:
    """A clip of one or two things; what they do never brings them together."""
    lots = Random(f"video {seed}")
    count = lots.choices((1, 2), weights=(45, 55))[0]
    return _scene(seed, "video", lots, count)


def _scene(seed: int, kind: str, lots: Random, count: int) -> Scene:
    aspect = 1.0 if lots.random() < 0.35 else math.exp(lots.uniform(-0.58, 0.58))
    things: list[Thing] = []
    crowd = count
    while len(things) < count:
        thing = _fitting_thing(lots, kind, things, crowd, aspect)
        if thing is None:
            # too crowded: begin again, with smaller things
            things, crowd = [], 9
            continue
        things.append(thing)
    things.sort(key=lambda thing: (int(thing.y * 3), int(thing.x * 3)))
    background = _background(lots, [thing.rgb for thing in things])
    return Scene(seed, kind, tuple(things), background, aspect, lots.uniform(0.7, 2.0))


def _background(lots: Random, shades: list[RGB]) -> Background:
    near = far = backdrop(shades, lots)
    if lots.random() < 0.25:
        drift = lots.uniform(0.1, 0.5)
        other = backdrop(shades, lots)
        far = _mix(near, other, drift)
    grain = lots.choice((0.0, 0.0, 0.01, 0.03, 0.06))
    return Background(near, far, lots.uniform(0, 2 * math.pi), grain)


def _mix(a: RGB, b: RGB, share: float) -> RGB:
    mixed = [(1 - share) * p + share * q for p, q in zip(a, b, strict=True)]
    return (mixed[0], mixed[1], mixed[2])


def _fitting_thing(
    lots: Random, kind: str, others: list[Thing], crowd: int, aspect: float
) -> Thing | None:
    for _ in range(30):
        thing = _any_thing(lots, kind, others, crowd)
        moved = _inside(thing, aspect)
        if moved is not None and all(_apart(moved, other, aspect) for other in others):
            return moved
    return None


def _any_thing(lots: Random, kind: str, others: list[Thing], crowd: int) -> Thing:
    shape, color = _new_name(lots, others)
    event = _event(lots, shape, bool(others)) if kind == "video" else Event()
    size = lots.choice(SIZES[:2] if crowd > 4 else SIZES)
    if event.kind in ("spin", "shrink"):
        size = lots.choice(("medium", "large"))
    elif event.kind == "grow":
        size = lots.choice(("small", "medium"))
    low, high = _RADII[size]
    if size == "large" and crowd == 1 and lots.random() < 0.4:
        high = _LARGEST if kind == "image" else 0.23
    x, y = _spot(lots, event)
    return Thing(
        shape=shape,
        color=color,
        size=size,
        x=x,
        y=y,
        radius=lots.uniform(low, high),
        angle=_angle(lots, shape),
        style=lots.random(),
        rgb=shade(color, lots),
        outline=_outline(lots, color),
        event=event,
    )


def _new_name(lots: Random, others: list[Thing]) -> tuple[str, str]:
    taken = {thing.color for thing in others}
    free = [color for color in COLORS if color not in taken]
    return lots.choice(SHAPES), lots.choice(free)


def _angle(lots: Random, shape: str) -> float:
    tilt = lots.gauss(0, 0.1)
    if shape == "triangle" and lots.random() < 0.2:
        return tilt + lots.choice((0.5, 1.0, 1.5)) * math.pi
    if shape == "cross" and lots.random() < 0.15:
        return tilt + math.pi / 4
    return tilt


def _outline(lots: Random, color: str) -> RGB | None:
    if lots.random() > 0.15:
        return None
    dark = color == "white" or (color != "black" and lots.random() < 0.75)
    return (0.05, 0.05, 0.05) if dark else (0.95, 0.95, 0.95)


def _spot(lots: Random, event: Event) -> tuple[float, float]:
    """A start within a third, such that the end lies in a third too."""
    column = lots.choice(_starts(event.dx))
    row = lots.choice(_starts(event.dy))
    spread = 0.085
    return (
        (column + 0.5) / 3 + lots.uniform(-spread, spread),
        (row + 0.5) / 3 + lots.uniform(-spread, spread),
    )


def _starts(way: float) -> list[int]:
    thirds = round(way * 3)
    return [third for third in range(3) if 0 <= third + thirds <= 2]


def _event(lots: Random, shape: str, second: bool) -> Event:
    if second and lots.random() < 0.5:
        return Event()
    kinds = [*MOVES, *MOVES, *CHANGES, *ENTRANCES, *ENTRANCES]
    if not second:
        kinds.append("still")
    if shape in ("circle", "ring"):
        kinds.remove("spin")
    kind = lots.choice(kinds)
    if kind in ENTRANCES:
        return Event(kind, start=_entrance(lots))
    if kind == "still":
        return Event()
    start, length = _period(lots)
    return _motion(lots, kind, start, length)


def _entrance(lots: Random) -> float:
    """A time between two of the frames looked at, away from both."""
    frame = lots.choice(lots.choice(((1, 2), (3, 4, 5), (6, 7))))
    return (frame - 0.5 + lots.uniform(-0.25, 0.25)) / (NUM_FRAMES - 1)


def _period(lots: Random) -> tuple[float, float]:
    """Start and length of a motion: the whole clip, or a part that has a name."""
    if lots.random() < 0.4:
        length = lots.uniform(0.85, 1.0)
        return lots.uniform(0, 1 - length), length
    length = lots.uniform(0.22, 0.42)
    middle = lots.choice((lots.uniform(0.2, 0.3), lots.uniform(0.44, 0.56), lots.uniform(0.7, 0.8)))
    return max(0.02, min(0.98 - length, middle - length / 2)), length


def _motion(lots: Random, kind: str, start: float, length: float) -> Event:
    if kind in MOVES:
        thirds = lots.choice((1, 1, 2)) if length > 0.3 else 1
        way = thirds / 3 * lots.uniform(0.9, 1.05)
        dx = {"left": -way, "right": way}.get(kind, lots.uniform(-0.02, 0.02))
        dy = {"up": -way, "down": way}.get(kind, lots.uniform(-0.02, 0.02))
        return Event(kind, start, length, dx=dx, dy=dy)
    if kind == "spin":
        # 15 to 40 degrees from one frame looked at to the next
        turn = lots.uniform(0.26, 0.7) * length * (NUM_FRAMES - 1) * lots.choice((-1, 1))
        if abs(turn) < 0.6:
            turn *= 0.6 / abs(turn)
        return Event(kind, start, length, turn=turn)
    growth = lots.uniform(1.7, 2.3)
    return Event(kind, start, length, growth=growth if kind == "grow" else 1 / growth)


def _inside(thing: Thing, aspect: float) -> Thing | None:
    """The thing moved so that it never leaves the picture; None where that changes its places."""
    largest = thing.radius * max(1.0, thing.event.growth) * 1.15
    half_w, half_h = largest / math.sqrt(aspect), largest * math.sqrt(aspect)
    event = thing.event
    x = _clamp(thing.x, half_w - min(0.0, event.dx), 1 - half_w - max(0.0, event.dx))
    y = _clamp(thing.y, half_h - min(0.0, event.dy), 1 - half_h - max(0.0, event.dy))
    moved = replace(thing, x=x, y=y)
    # at least 3 % of a side from the border between two thirds, at both ends
    ends = (x, y, x + event.dx, y + event.dy)
    clear = all(abs(value * 3 - round(value * 3)) > 0.15 for value in ends)
    return moved if clear and moved.place == thing.place else None


def _clamp(value: float, low: float, high: float) -> float:
    return (low + high) / 2 if low > high else min(high, max(low, value))


def _apart(a: Thing, b: Thing, aspect: float) -> bool:
    """Whether two things stay apart and start, and end, in different thirds."""
    if a.place == b.place or a.last_place == b.last_place:
        return False
    root = math.sqrt(aspect)
    for step in range(NUM_FRAMES):
        time = step / (NUM_FRAMES - 1)
        p, q = pose(a.event, time), pose(b.event, time)
        dx = (a.x + p.dx - b.x - q.dx) * root
        dy = (a.y + p.dy - b.y - q.dy) / root
        if math.hypot(dx, dy) < 1.25 * (a.radius * p.scale + b.radius * q.scale) + 0.01:
            return False
    return True
