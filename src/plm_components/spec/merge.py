"""Deltas over a base: with the same ``type`` options merge, another ``type`` replaces the slot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from plm_components.errors import Fault, SpecError
from plm_components.spec.read import parse_yaml


def merge(base: Any, delta: Any) -> Any:
    """``delta`` over ``base``; neither is changed.

    Mappings merge key by key. Lists, numbers and text are replaced. A mapping with a ``type``
    that the base does not say replaces it whole, so no option of another part survives; bare
    text over a part is short for ``{type: text}``.
    """
    return _merged(base, delta, same_part=False)


def _merged(base: Any, delta: Any, *, same_part: bool) -> Any:
    """``same_part``: what has no type and what has one speak of one part, as overrides do."""
    if isinstance(base, Mapping) and isinstance(delta, str) and "type" in base:
        delta = {"type": delta}
    if isinstance(base, str) and isinstance(delta, Mapping):
        base = {"type": base}
    if not isinstance(base, Mapping) or not isinstance(delta, Mapping):
        return delta
    if _is_another_part(base, delta, same_part=same_part):
        return dict(delta)
    merged = dict(base)
    for key, value in delta.items():
        merged[key] = _merged(base[key], value, same_part=same_part) if key in base else value
    return merged


def _is_another_part(base: Mapping[str, Any], delta: Mapping[str, Any], *, same_part: bool) -> bool:
    if "type" not in delta:
        return False
    if "type" not in base:  # a nested part of the default type, which only a signature knows
        return not same_part
    return bool(base["type"] != delta["type"])


def overrides_tree(overrides: Sequence[str]) -> dict[str, Any]:
    """Dotlist overrides (``projector.pool=4``) as one delta; a later one wins.

    Raises:
        SpecError: an override is not ``path.to.option=value``; all such are told at once.
    """
    tree: dict[str, Any] = {}
    faults: list[Fault] = []
    for override in overrides:
        try:
            tree = _merged(tree, _one(override), same_part=True)
        except SpecError as error:
            faults.extend(error.faults)
    if faults:
        raise SpecError.of(faults)
    return tree


def _one(override: str) -> dict[str, Any]:
    path, equals, text = str(override).partition("=")
    keys = path.strip().split(".")
    if not equals or not text.strip() or not all(keys):
        raise _malformed(override)
    if keys == ["base"]:
        raise _base_overridden(override)
    value = parse_yaml(text, f"override {override!r}")
    for key in reversed(keys):
        value = {key: value}
    return dict(value)


def _malformed(override: str) -> SpecError:
    return SpecError(
        f"{override!r} is no override.",
        where=f"override {override!r}",
        expected="path.to.option=value, such as projector.pool=4 or image_tiler=null",
        fix="write the path, an equals sign and the value; empty text is ''",
    )


def _base_overridden(override: str) -> SpecError:
    return SpecError(
        "base cannot be overridden: it was read before overrides apply.",
        where=f"override {override!r}",
        expected="another spec as the source, or overrides of its slots",
        fix=f"give {override.partition('=')[2]} as the spec itself",
    )
