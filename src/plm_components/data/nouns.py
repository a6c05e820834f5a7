"""Everything the tiny world can name."""

from __future__ import annotations

SHAPES = ("circle", "square", "triangle", "cross", "star", "ring")
COLORS = ("red", "orange", "yellow", "green", "blue", "purple", "black", "white")
SIZES = ("small", "medium", "large")
NUMBERS = ("zero", "one", "two", "three", "four")

# row-major thirds of the picture
PLACES = (
    "top left",
    "top",
    "top right",
    "left",
    "center",
    "right",
    "bottom left",
    "bottom",
    "bottom right",
)

MOVES = ("left", "right", "up", "down")
CHANGES = ("grow", "shrink", "spin")
ENTRANCES = ("appear", "disappear")
EVENTS = (*MOVES, *CHANGES, *ENTRANCES, "still")

# what a viewer says of each event
DOES = {
    "left": "it moves left",
    "right": "it moves right",
    "up": "it moves up",
    "down": "it moves down",
    "grow": "it grows",
    "shrink": "it shrinks",
    "spin": "it spins",
    "appear": "it appears",
    "disappear": "it disappears",
    "still": "it stays still",
}

TIMES = ("at the beginning", "in the middle", "at the end", "the whole time")

# frames a video is looked at with; "frame 3" is the third of them
NUM_FRAMES = 8


def place_of(x: float, y: float) -> str:
    """The third of the picture a point lies in; coordinates 0..1, y downwards."""
    column, row = min(2, int(x * 3)), min(2, int(y * 3))
    return PLACES[row * 3 + column]


def article(word: str) -> str:
    """The word behind ``a`` or ``an``."""
    return f"an {word}" if word[0] in "aeiou" else f"a {word}"
