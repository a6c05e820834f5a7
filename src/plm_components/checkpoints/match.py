"""Stored tensors against the tensors a model wants: exact names, exact shapes, nothing guessed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from plm_components.errors import CheckpointError
from plm_components.untrusted import shown

_SHOWN = 3


def match_exactly(
    stored: Mapping[str, tuple[int, ...]],
    wanted: Mapping[str, tuple[int, ...]],
    *,
    may_be_absent: Collection[str] = (),
    ignored: Collection[str] = (),
    where: str,
    fix: str,
) -> tuple[str, ...]:
    """Compares names and shapes.

    Args:
        stored: Shapes by name, as the file has them.
        wanted: Shapes by name, as the model has them.
        may_be_absent: Names the file need not have; they are left as they are.
        ignored: Names the file may have though the model has no such tensor of its own (other
            names of a tied weight).
        where: The file, for the message.
        fix: What to do about a mismatch, for the message.

    Returns:
        The names to read, in the model's order.

    Raises:
        CheckpointError: the first few names of each fault, and the counts.
    """
    missing = [name for name in wanted if name not in stored and name not in may_be_absent]
    unexpected = [name for name in stored if name not in wanted and name not in ignored]
    misshapen = [name for name in wanted if name in stored and stored[name] != wanted[name]]
    if missing or unexpected or misshapen:
        raise CheckpointError(
            f"The weights do not fit the spec (tensors missing: {len(missing)}, "
            f"unexpected: {len(unexpected)}, of another shape: {len(misshapen)}).",
            where=where,
            expected="; ".join(_differences(missing, unexpected, misshapen, stored, wanted)),
            fix=fix,
        )
    return tuple(name for name in wanted if name in stored)


def first_few(names: Iterable[str]) -> str:
    """The first names of a list and how many there are: ``a, b, c and 9 more``."""
    names = list(names)
    # names of a file may hold anything
    text = ", ".join(shown(name) for name in names[:_SHOWN])
    return text if len(names) <= _SHOWN else f"{text} and {len(names) - _SHOWN} more"


def _differences(
    missing: list[str],
    unexpected: list[str],
    misshapen: list[str],
    stored: Mapping[str, tuple[int, ...]],
    wanted: Mapping[str, tuple[int, ...]],
) -> list[str]:
    parts = [f"{len(wanted)} tensors"]
    if missing:
        parts.append(f"with {first_few(missing)}")
    if unexpected:
        parts.append(f"without {first_few(unexpected)}")
    if misshapen:
        shapes = (
            f"{name} {_sides(wanted[name])}, not {_sides(stored[name])}" for name in misshapen
        )
        parts.append(first_few(shapes))
    return parts


def _sides(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "scalar"
