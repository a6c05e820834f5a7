"""Records as plain data and back: strict about names, and finite, as JSON wants its numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, asdict, fields
from math import inf, isfinite
from typing import Any, TypeVar

from plm_components.bench.record import Record, Verdict
from plm_components.bench.soundness import require_sense, require_type
from plm_components.untrusted import shown

_Data = TypeVar("_Data")
_ERRORS = ("largest", "rms", "decorrelation")


def record_to_plain(record: Record) -> dict[str, Any]:
    """A record as JSON can hold it; an error that is not finite is null."""
    plain: dict[str, Any] = _finite(asdict(record))
    return plain


def record_of(plain: Any) -> Record:
    """A record from what ``record_to_plain`` made of it.

    Raises:
        ValueError: it is something else, or says what no measurement can say.
    """
    given = dict(plain)
    if given.get("verdict") is not None:
        verdict = dict(given["verdict"])
        unknown = {name: inf for name in _ERRORS if verdict.get(name, 0) is None}
        given["verdict"] = strictly(Verdict, {**verdict, **unknown})
    given["rounds_s"] = tuple(given.get("rounds_s", ()))
    record = strictly(Record, given)
    require_sense(record)
    return record


def strictly(cls: type[_Data], plain: Mapping[str, Any]) -> _Data:
    """A dataclass from a mapping that has its fields and no others, each of its type.

    Raises:
        ValueError: a field is missing, unknown, or of another type.
    """
    known = {field.name: field for field in fields(cls)}  # type: ignore[arg-type]
    needed = [n for n, f in known.items() if f.default is MISSING and f.default_factory is MISSING]
    wrong = [*(n for n in needed if n not in plain), *(n for n in plain if n not in known)]
    if wrong:
        what = "lacks" if wrong[0] in known else "has"
        raise ValueError(f"a {cls.__name__.lower()} {what} {shown(wrong[0])}")
    for name, value in plain.items():
        require_type(name, value, str(known[name].type))
    return cls(**plain)


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not isfinite(value) else value
