"""What a record out of somebody's file may say: values of their types, and no time without worth.

A file can be edited by hand; a report or a table must not claim what no measurement found.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from math import inf, isfinite
from typing import Any

from plm_components.bench.measure import MODES
from plm_components.bench.record import Record
from plm_components.untrusted import shown

# names of files are made of them
_WORD = re.compile(r"\w[\w.-]*")


def require_type(name: str, value: Any, annotation: str) -> None:
    """Refuses a value that a dataclass does not declare there.

    Args:
        name: Of the field.
        value: That a file has.
        annotation: Of the field, as text.

    Raises:
        ValueError: it is of another type.
    """
    wanted = annotation.removesuffix(" | None")
    if value is None and wanted != annotation:
        return
    is_of, told = _TYPES.get(wanted, _ANY)
    if not is_of(value):
        raise ValueError(f"its {name} is {shown(repr(value))}, not {told}")


def require_sense(record: Record) -> None:
    """Refuses what no measurement finds.

    Raises:
        ValueError: a mode that the device has not, or a time of who was refused or wrong.
    """
    if record.mode not in MODES.get(record.device, ()):
        raise ValueError(f"nothing is timed {shown(record.mode)!r} on {shown(record.device)!r}")
    if record.precision not in ("exact", "fast"):
        raise ValueError(f"its precision is {shown(record.precision)!r}, not exact or fast")
    if not _WORD.fullmatch(record.dtype):
        raise ValueError(f"its dtype is {shown(repr(record.dtype))}")
    roofline = record.conditions.get("roofline")
    if roofline is not None and not _is_roofline(roofline):
        raise ValueError(f"its roofline is {shown(repr(roofline))}")
    seed = record.conditions.get("seed")
    if seed is not None and not _is_whole(seed):
        raise ValueError(f"its seed is {shown(repr(seed))}")
    passed = record.refused is None and record.verdict is not None and record.verdict.fault is None
    if record.rounds_s and not passed:
        raise ValueError(f"{shown(record.part)} has a time, and did not pass the gate")


def _is_whole(value: Any) -> bool:
    return type(value) is int


def _is_amount(value: Any) -> bool:
    # infinite is an error that JSON had no number for
    return type(value) in (int, float) and (0 <= value < 1e60 or value == inf)


def _is_time(value: Any) -> bool:
    # no clock ticks finer than a picosecond, and nobody waits for longer than a year
    return _is_amount(value) and 1e-12 <= value <= 3.2e7


def _is_sizes(value: Any) -> bool:
    return isinstance(value, Mapping) and all(type(size) in (int, str) for size in value.values())


def _is_roofline(value: Any) -> bool:
    names = {"flops_per_s", "bytes_per_s"}
    return (
        isinstance(value, Mapping)
        and set(value) == names
        and all(_is_amount(one) and one > 0 and isfinite(one) for one in value.values())
    )


_TypeTest = tuple[Callable[[Any], bool], str]
_ANY: _TypeTest = (lambda value: True, "")
# by the annotation of a field: what it takes, and that in words
_TYPES: dict[str, _TypeTest] = {
    "str": (lambda value: isinstance(value, str) and "\0" not in value, "text"),
    "Mode": (lambda value: isinstance(value, str), "a mode"),
    "bool": (lambda value: isinstance(value, bool), "true or false"),
    "int": (lambda value: _is_whole(value) and 0 <= value < 2**63, "a whole number from 0"),
    "float": (_is_amount, "a number from 0"),
    "tuple[float, ...]": (lambda value: all(map(_is_time, value)), "seconds"),
    "Mapping[str, int | str]": (_is_sizes, "sizes"),
    "Mapping[str, Any]": (lambda value: isinstance(value, Mapping), "a mapping"),
}
