"""The types an option may have, checked strictly, then put into shape by OmegaConf.

OmegaConf coerces in silence (``"4"`` to 4, ``yes`` to true), so every value is checked first, and
nothing but what the annotation says passes: a number for a float may be whole, no more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import MISSING as REQUIRED
from dataclasses import field, make_dataclass
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, NamedTuple, Optional, Union, get_args, get_origin

_SCALARS: dict[Any, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    Path: "a path, as text",
    NoneType: "null",
}


class Mismatch(NamedTuple):
    """A value that is not what its annotation says.

    Args:
        path: Where below the option, ``[1]`` or ``.key``; empty for the option itself.
        value: What stands there.
        annotation: What it should be.
    """

    path: str
    value: Any
    annotation: Any


def is_union(annotation: Any) -> bool:
    """Whether it is ``A | B`` or ``Union[A, B]``."""
    return get_origin(annotation) in (Union, UnionType)


def type_text(annotation: Any) -> str:
    """An annotation as a user reads it: ``int``, ``str | None``, ``'gelu' or 'silu'``."""
    if annotation in (None, NoneType):
        return "null"
    if get_origin(annotation) is Literal:
        return " or ".join(repr(choice) for choice in get_args(annotation))
    if is_union(annotation):
        return " | ".join(type_text(member) for member in get_args(annotation))
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return " or ".join(repr(name) for name in annotation.__members__)
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin in (list, tuple, dict):
        told = ", ".join("..." if one is Ellipsis else type_text(one) for one in inner)
        return f"{origin.__name__}[{told}]"
    return getattr(annotation, "__name__", None) or str(annotation)


def annotation_fault(annotation: Any, *, inside: bool = False) -> str | None:
    """Why an annotation cannot be an option's, or None.

    Args:
        annotation: The annotation.
        inside: Whether it stands within a list, tuple or dict.
    """
    origin, inner = get_origin(annotation), get_args(annotation)
    if annotation in _SCALARS or annotation is None:
        return None
    if annotation is Any:
        return None if inside else "Any says nothing: name a type"
    if origin is Literal:
        return _literal_fault(inner)
    if isinstance(annotation, type) and origin is None:
        return _class_fault(annotation)
    if is_union(annotation):
        if inside and not _fits_inside(inner):
            return "within a list or dict a union is X | None, or of bool, int and str"
        return _first(annotation_fault(member, inside=inside) for member in inner)
    if origin is tuple and inside:
        return "a tuple stands only outermost: use a list within"
    if origin is dict and inner[0] is not str:
        return "the keys of a dict are str"
    if origin in (list, tuple, dict):
        members = [one for one in inner if one is not Ellipsis]
        return _first(annotation_fault(member, inside=True) for member in members)
    return "it is none of the types below"


def _fits_inside(members: tuple[Any, ...]) -> bool:
    # OmegaConf converts no member of a nested union: neither 1 to 1.0 nor text to a path
    rest = [member for member in members if member is not NoneType]
    return len(rest) == 1 or all(member in (bool, int, str) for member in rest)


def _literal_fault(choices: tuple[Any, ...]) -> str | None:
    wrong = [choice for choice in choices if type(choice) not in (str, int, bool)]
    return f"{wrong[0]!r} in Literal is no text, number or bool" if wrong else None


def _class_fault(annotation: type[Any]) -> str | None:
    if issubclass(annotation, Enum):
        return None
    if annotation in (list, tuple, dict):
        return f"say of what: {annotation.__name__}[...]"
    return f"{annotation.__name__} cannot be written in YAML"


def _first(faults: Iterator[str | None]) -> str | None:
    return next((fault for fault in faults if fault is not None), None)


def value_fault(value: Any, annotation: Any) -> Mismatch | None:
    """The first place where plain data is not what the annotation says, or None."""
    return next(_mismatches(value, annotation, ""), None)


def _mismatches(value: Any, annotation: Any, path: str) -> Iterator[Mismatch]:
    origin, inner = get_origin(annotation), get_args(annotation)
    if is_union(annotation):
        fits = any(value_fault(value, member) is None for member in inner)
        if not fits:
            yield _nearest(Mismatch(path, value, annotation), inner)
    elif origin is list and isinstance(value, list):
        for i, item in enumerate(value):
            yield from _mismatches(item, inner[0], f"{path}[{i}]")
    elif origin is tuple and _fits_length(value, inner):
        kinds = [inner[0]] * len(value) if Ellipsis in inner else inner
        for i, (item, kind) in enumerate(zip(value, kinds, strict=True)):
            yield from _mismatches(item, kind, f"{path}[{i}]")
    elif origin is dict and isinstance(value, dict):
        for key, item in value.items():
            yield from _mismatches(item, inner[1], f"{path}.{key}")
    elif origin in (list, tuple, dict) or not _fits_scalar(value, annotation):
        yield Mismatch(path, value, annotation)


def shaped(values: Mapping[str, Any], annotations: Mapping[str, Any]) -> dict[str, Any]:
    """Checked values as the constructor wants them: floats, paths, enum members, tuples.

    Args:
        values: Plain data by option; ``value_fault`` found nothing wrong.
        annotations: The type of each option.
    """
    from omegaconf import OmegaConf  # only a spec with options needs it

    fields = [
        (name, _narrowed(value, annotations[name]), field(default=REQUIRED))
        for name, value in values.items()
    ]
    schema = OmegaConf.structured(make_dataclass("Options", fields))
    options = OmegaConf.to_object(OmegaConf.merge(schema, dict(values)))
    return {name: getattr(options, name) for name in values}


def _narrowed(value: Any, annotation: Any) -> Any:
    """The member of a union that the value is: OmegaConf converts to a type, not to a union."""
    if not is_union(annotation):
        return annotation
    fitting = [one for one in get_args(annotation) if value_fault(value, one) is None]
    exact = [member for member in fitting if member is type(value)]
    chosen = (exact or fitting)[0]
    return Optional[chosen] if chosen is not NoneType else Optional[str]  # noqa: UP045


def _nearest(whole: Mismatch, members: tuple[Any, ...]) -> Mismatch:
    """For ``list[int] | None`` given a list, the bad item; else the value as a whole."""
    if isinstance(whole.value, list | dict):
        wanted = (list, tuple) if isinstance(whole.value, list) else (dict,)
        fitting = [member for member in members if get_origin(member) in wanted]
        if len(fitting) == 1:
            return next(_mismatches(whole.value, fitting[0], whole.path))
    return whole


def _fits_length(value: Any, inner: tuple[Any, ...]) -> bool:
    return isinstance(value, list) and (Ellipsis in inner or len(value) == len(inner))


def _fits_scalar(value: Any, annotation: Any) -> bool:
    if annotation is Any:
        return True
    if annotation in (None, NoneType):
        return value is None
    if get_origin(annotation) is Literal:
        # by type too: True == 1
        return any(type(value) is type(one) and value == one for one in get_args(annotation))
    if issubclass(annotation, Enum):
        return isinstance(value, str) and value in annotation.__members__
    allowed: dict[Any, tuple[type, ...]] = {float: (int, float), Path: (str,)}
    return type(value) in allowed.get(annotation, (annotation,))
