"""Overrides worth trying when something does not fit: numbers close to what the spec says."""

from __future__ import annotations

from collections.abc import Iterator

from plm_components.assembly.examination import Examination, all_parts
from plm_components.spec import Part

_RADIUS = 16


def nearby(*parts: Part | None, radius: int = _RADIUS) -> tuple[str, ...]:
    """Whole-number options of parts, all of them one away, then two, and so on.

    Args:
        parts: Whose options, the likeliest part first.
        radius: How far to go.
    """
    numbers = [
        (f"{part.path}.{name}", value)
        for part in parts
        if part is not None
        for name, value in whole_numbers(part)
    ]
    return tuple(
        f"{option}={value + step}"
        for distance in range(1, radius + 1)
        for option, value in numbers
        for step in (-distance, distance)
        if value + step >= 1
    )


def scaled(part: Part | None, *, count: int, allowed: int) -> tuple[str, ...]:
    """Each whole-number option of a part, brought down as a count must be.

    Args:
        part: Whose options.
        count: What the options give now.
        allowed: What they may give at most.
    """
    if part is None or allowed < 1:
        return ()
    return tuple(
        f"{part.path}.{name}={target}"
        for name, value in whole_numbers(part)
        for target in sorted({allowed, allowed - 1, value * allowed // count}, reverse=True)
        if 1 <= target < value
    )


def raised(part: Part | None, name: str, value: int) -> tuple[str, ...]:
    """One option set to a number, if the part has it."""
    return () if part is None or name not in part.options else (f"{part.path}.{name}={value}",)


def other_components(exam: Examination, part: Part) -> tuple[str, ...]:
    """The same slot filled with each other part of its kind."""
    return tuple(
        f"{part.path}={exam.zoo.spelling(entry)}"
        for entry in exam.zoo.entries(part.kind)
        if entry.status == "available" and entry != part.entry
    )


def around_path(exam: Examination, path: str) -> tuple[str, ...]:
    """Numbers of the part at a path and of the parts that hold it."""
    holders = [part for part in all_parts(exam.tree) if _holds(part.path, path)]
    return nearby(*reversed(holders))


def whole_numbers(part: Part) -> Iterator[tuple[str, int]]:
    """Options of a part that are whole numbers now."""
    for name, value in part.options.items():
        if isinstance(value, int) and not isinstance(value, bool):
            yield name, value


def _holds(holder: str, path: str) -> bool:
    return path == holder or path.startswith(f"{holder}.")
