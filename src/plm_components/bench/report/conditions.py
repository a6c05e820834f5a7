"""Under which conditions the figures of a run came about, in few lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from plm_components.bench.record import Record

# drawn; and of no interest to a reader
_UNTOLD = ("roofline", "seed")


def conditions(records: Iterable[Record]) -> dict[str, str]:
    """What the records say, each condition once: its values, and of how many records each."""
    seen: dict[str, Counter[Any]] = {}
    for record in records:
        for name, value in _flat(record.conditions):
            seen.setdefault(name, Counter())[value] += 1
    return {name.replace("_", " "): _told(values) for name, values in seen.items()}


def _flat(conditions: Mapping[str, Any], before: str = "") -> Iterable[tuple[str, Any]]:
    for name, value in conditions.items():
        if name in _UNTOLD:
            continue
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{name} ")
        else:
            yield f"{before}{name}", _hashable(value)


def _hashable(value: Any) -> Any:
    """As it is counted: a list of plain values as a tuple, what is nested deeper as text."""
    if not isinstance(value, list | tuple):
        return value
    plain = not any(isinstance(one, list | tuple | Mapping) for one in value)
    return tuple(value) if plain else str(value)


def _told(values: Counter[Any]) -> str:
    if len(values) == 1:
        return _spelt(next(iter(values)))
    numbers = [value for value in values if isinstance(value, (int, float))]
    if len(numbers) == len(values) and not any(isinstance(value, bool) for value in values):
        return f"{min(numbers):.4g} to {max(numbers):.4g}"
    common = values.most_common(4)
    told = [f"{_spelt(value)} ({count} of {values.total()})" for value, count in common]
    return ", ".join([*told, *(["…"] if len(values) > len(common) else [])])


def _spelt(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join(map(_spelt, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)
