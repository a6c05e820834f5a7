"""Who competes: every registered part of an operation's kind, plugins' too, without an edit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from plm_components.bench.operation import Contender, Function, Operation
from plm_components.bench.preparing import PREPARERS
from plm_components.errors import PlmError
from plm_components.spec import signature_of
from plm_components.zoo import Entry, Zoo, default_zoo

_OURS = "plm-components"


def contenders(operation: Operation, zoo: Zoo | None = None) -> list[Contender]:
    """Every registered part of the operation's kind, built with its sizes and default options.

    A part that cannot be used here is a contender too: it refuses with the zoo's reason. PLM's
    projector competes in both its orders, with every pooling part.

    Args:
        operation: What they shall compute.
        zoo: Where parts are looked up; the default zoo if None.
    """
    where_from = zoo or default_zoo()
    if operation.kind not in PREPARERS:
        return []
    return [
        _contender(entry, where_from, options)
        for entry in where_from.entries(operation.kind)
        for options in _variants(entry, where_from)
    ]


def variant_name(kind: str, spelling: str, options: Mapping[str, str]) -> str:
    """What a part is called that competes with these options."""
    said = ", ".join(f"{name}={value}" for name, value in options.items())
    return f"{kind}/{spelling}" + (f" ({said})" if said else "")


def names_of(entry: Entry, zoo: Zoo) -> list[str]:
    """What a registered part is called where it competes: one name for each of its variants."""
    return [
        variant_name(entry.kind, zoo.spelling(entry), options) for options in _variants(entry, zoo)
    ]


def _variants(entry: Entry, zoo: Zoo) -> list[dict[str, str]]:
    """Ways to set a part's options that are contenders of their own."""
    if entry.address != "projector/avg_pool_mlp" or entry.provider.distribution != _OURS:
        return [{}]
    poolings = [zoo.spelling(pooling) for pooling in zoo.entries("pooling")]
    return [
        {"order": order, "pooling": pooling}
        for order in ("pool_last", "pool_first")
        for pooling in poolings
    ]


def is_chooser(entry: Entry) -> bool:
    """Whether a part passes its calls to others: its time is theirs."""
    try:
        return bool(signature_of(entry.load(), entry.kind).candidates)
    except PlmError:
        return False


def _contender(entry: Entry, zoo: Zoo, options: dict[str, str]) -> Contender:
    def prepare(operation: Operation) -> Function:
        entry.load()  # says why, in the zoo's own words, where it cannot
        if "pooling" in options:
            zoo.get("pooling", options["pooling"]).load()
        return PREPARERS[entry.kind](operation, entry, zoo, options)

    return Contender(
        part=variant_name(entry.kind, zoo.spelling(entry), options),
        provider=entry.provider.distribution,
        version=entry.edition,
        prepare=prepare,
        precision=_declared(entry, "precision"),
        gradient_precision=_declared(entry, "gradient_precision"),
    )


def _declared(entry: Entry, name: str) -> Literal["exact", "fast"]:
    """What a part says of itself; exact where it says nothing, or cannot be asked here."""
    try:
        support = getattr(entry.load(), "support", None)
    except PlmError:
        return "exact"
    return "fast" if getattr(support, name, "exact") == "fast" else "exact"
