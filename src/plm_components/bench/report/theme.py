"""Two palettes, for a light page and for a dark one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Theme:
    """Colours of a picture.

    Args:
        name: ``light`` or ``dark``, also what the file's name ends with.
        paper: Behind everything.
        ink: Text.
        soft: Lesser text and axes.
        faint: Grid.
        best: The fastest, and whom it is not known to beat.
        other: Every other exact contender.
        loose: Contenders of precision ``fast``.
        bad: Wrong answers.
    """

    name: str
    paper: str
    ink: str
    soft: str
    faint: str
    best: str
    other: str
    loose: str
    bad: str


LIGHT = Theme(
    "light", "#ffffff", "#1b1d21", "#666c77", "#dfe3e8", "#15795a", "#a9b9cb", "#e0b04f", "#bb3327"
)
DARK = Theme(
    "dark", "#15181d", "#e8eaee", "#9aa2ae", "#343a44", "#3fbf91", "#52657c", "#b98a30", "#f0766b"
)
THEMES = (LIGHT, DARK)
