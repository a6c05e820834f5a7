"""A value of the wrong type, told with the edit that mends it."""

from __future__ import annotations

from enum import Enum
from typing import Any, Literal, get_args, get_origin

from plm_components.errors import Fault, PlmError
from plm_components.spec.option_types import Mismatch, is_union, type_text, value_fault
from plm_components.spec.read import parse_yaml
from plm_components.zoo.suggest import did_you_mean

_YAML_1_1 = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}
_WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}


def wrong_type(mismatch: Mismatch, path: str) -> Fault:
    """The fault of a value below ``path`` that is not what its annotation says."""
    where = f"{path}{mismatch.path}"
    wanted = type_text(mismatch.annotation)
    words = _WORDS.get(mismatch.annotation, wanted)
    return Fault(
        f"{where} is {value_text(mismatch.value)}, not {words}.",
        where,
        wanted,
        _fix(mismatch, words),
    )


def value_text(value: Any) -> str:
    """Plain data in words: ``the text '4'``, ``a list of 2``."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"the text {value!r}"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    return "a mapping" if isinstance(value, dict) else f"the number {value!r}"


def _fix(mismatch: Mismatch, words: str) -> str:
    _, value, annotation = mismatch
    choices = _choices(annotation)
    if choices:
        return did_you_mean(value, choices) or "choose one of these"
    if isinstance(value, str):
        boolean = _YAML_1_1.get(value.lower())
        if boolean is not None and value_fault(boolean == "true", annotation) is None:
            return f"write {boolean}"
        if _means(value, annotation):
            return f"write {value} without quotes"
    elif value is not None and value_fault(str(value), annotation) is None:
        return f"quote it: '{_unquoted(value)}'"
    return "leave it out for the default, or give a value" if value is None else f"give {words}"


def _choices(annotation: Any) -> list[str]:
    if is_union(annotation):
        return [choice for member in get_args(annotation) for choice in _choices(member)]
    if get_origin(annotation) is Literal:
        return [str(choice) for choice in get_args(annotation)]
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return list(annotation.__members__)
    return []


def _means(text: str, annotation: Any) -> bool:
    """Whether the text, unquoted, would be what is wanted."""
    try:
        return value_fault(parse_yaml(text, "a value"), annotation) is None
    except PlmError:
        return False


def _unquoted(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
