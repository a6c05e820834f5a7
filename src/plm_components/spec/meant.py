"""Whose part a name means that several have: it depends on who wrote it.

A name without a distribution, in a spec that a distribution ships, means that distribution's own
part, or else ours. So what is installed beside a spec changes nothing in it. A user who writes such
a name is asked which is meant.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from plm_components.errors import PlmError
from plm_components.spec.layout import SPEC_SLOTS
from plm_components.spec.signature import Slot, signature_of
from plm_components.zoo import Entry, Zoo


def as_meant(data: Mapping[str, Any], by: str, zoo: Zoo) -> dict[str, Any]:
    """A spec in which every name that several have is qualified as its author meant it.

    Imports the parts it names, and only where some name has several.

    Args:
        data: Plain data of a whole spec.
        by: Distribution of its author.
        zoo: Where its parts will be looked up.

    Returns:
        The same where every name has one provider. What cannot be found is left for ``resolve``
        to tell.
    """
    if not zoo.clashes():
        return dict(data)
    places = {slot: place.kind for slot, place in SPEC_SLOTS.items() if slot in data}
    return {
        **data,
        **{slot: part_as_meant(kind, data[slot], by, zoo) for slot, kind in places.items()},
    }


def part_as_meant(kind: str, value: Any, by: str, zoo: Zoo, *, default: str | None = None) -> Any:
    """The same for one slot.

    Args:
        kind: Of the slot.
        value: A name, or a mapping with ``type`` and options.
        by: Distribution of its author.
        zoo: Where its part will be looked up.
        default: The part that the slot has where the value names none.
    """
    if isinstance(value, str):
        entry = _entry(kind, value, by, zoo)
        return value if entry is None else zoo.spelling(entry)
    if not isinstance(value, Mapping):
        return value
    entry = _entry(kind, value.get("type", default), by, zoo)
    if entry is None:
        return value
    said = {"type": zoo.spelling(entry)} if "type" in value else {}
    author = entry.provider.distribution
    nested = {
        name: part_as_meant(
            slot.kind, value[name], by, zoo, default=default_as_meant(slot, author, zoo)
        )
        for name, slot in _slots(entry).items()
        if name in value
    }
    return {**value, **said, **nested}


def default_as_meant(slot: Slot, by: str | None, zoo: Zoo) -> str | None:
    """The part that a slot has where a spec is silent.

    Args:
        slot: Of a part.
        by: The distribution of that part.
        zoo: Where it will be looked up.
    """
    entry = None if by is None else _entry(slot.kind, slot.default, by, zoo)
    return slot.default if entry is None else zoo.spelling(entry)


def _entry(kind: str, name: Any, by: str, zoo: Zoo) -> Entry | None:
    try:
        return zoo.get(kind, name, by=by) if isinstance(name, str) else None
    except PlmError:
        return None


def _slots(entry: Entry) -> Mapping[str, Slot]:
    try:
        return signature_of(entry.load(), entry.kind).slots
    except PlmError:
        return {}
