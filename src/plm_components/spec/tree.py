"""What a resolved spec is: parts within parts, each with its class and its options."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from plm_components.spec.layout import PROCESSOR_OPTIONS
from plm_components.spec.offers import PartOffer
from plm_components.zoo import Entry


@dataclass(frozen=True)
class Part:
    """One component of a spec, ready to be built.

    Args:
        path: Its slot, ``decoder.block.attention``.
        kind: Kind of the slot.
        entry: Its line of the zoo.
        cls: Its class.
        options: Every option with its value, defaults included; an optional slot that stays
            empty is the option None.
        children: Its nested parts, by argument name.
        repeated: Whether its parent takes a factory of the layer index.
        weights: Where its own weights come from, as the spec says it.
        trainable: Whether a training run may move it; None where the spec is silent.
        candidates: Every other part of a kind, by argument name, where its constructor asks.
    """

    path: str
    kind: str
    entry: Entry
    cls: type[Any]
    options: dict[str, Any]
    children: dict[str, Part]
    repeated: bool
    weights: str | None
    trainable: bool | None
    candidates: dict[str, dict[str, PartOffer]] = field(default_factory=dict, repr=False)


def default_processor() -> dict[str, Any]:
    """What a spec that is silent says of its processor."""
    return {name: default for name, (_, default) in PROCESSOR_OPTIONS.items()}


@dataclass(frozen=True)
class SpecTree:
    """A spec whose every name and option exists.

    Args:
        parts: One part a slot, None where an optional slot is empty.
        weights: Where the whole model's weights come from, as the spec says it.
        data: The spec in canonical form: ``load_spec`` reads it back equal.
        name: What the spec is called, where that is known.
        processor: Options of the processor, defaults included.
        media_token_ids: Ids that stand for media beside those its tokenizer writes: other
            programs' prompts have others, and a model may come without a tokenizer.
    """

    parts: dict[str, Part | None]
    weights: str | None
    data: dict[str, Any]
    name: str | None = None
    processor: dict[str, Any] = field(default_factory=default_processor)
    media_token_ids: tuple[int, ...] = ()
