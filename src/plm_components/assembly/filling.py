"""Weights that were found and matched, before any is read; and those of a whole variant."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from plm_components.assembly.build import MODULE_SLOTS
from plm_components.assembly.lock import Lock, LockedWeights, compare
from plm_components.assembly.stored_lock import is_worth_reading, saved_lock
from plm_components.checkpoints import (
    ModuleTensors,
    Receipt,
    ReceiptLine,
    TensorSource,
    match_exactly,
    open_origin,
    parse_origin,
    receipt_of,
)

# MODULE_SLOTS is the order in which parts can be wired
PASSED_THROUGH = ("vision_encoder", "projector", "decoder")


@dataclass(frozen=True)
class Filling:
    """Tensors of some parts, found and matched; nothing of them is read yet.

    Args:
        slots: The parts.
        source: The tensors, under the model's names.
        names: Those to read.
        absent: Those the checkpoint lacks, which no output depends on.
        look: Whether to look for NaN and infinities.
        lines: For the receipt.
        differences: Between the lock beside the tensors and what was built here, in words.
        recorded: What that lock says of the tensors, if they are all that a model has.
    """

    slots: tuple[str, ...]
    source: TensorSource
    names: tuple[str, ...]
    absent: tuple[str, ...]
    look: bool
    lines: tuple[ReceiptLine, ...]
    differences: tuple[str, ...] = ()
    recorded: LockedWeights | None = None


def open_whole(
    text: str,
    state: ModuleTensors,
    slots: Collection[str],
    *,
    lock: Lock,
    relative_to: Path | None,
    verify: bool | None,
) -> Filling:
    """Opens the weights at the top of a spec, for the parts that name none of their own.

    Args:
        text: The spec's ``weights:``.
        state: Tensors of the whole model.
        slots: Whose are wanted; those of other slots may be there, and are passed over.
        lock: Of what was built here.
        relative_to: Where a relative ``plm:`` directory starts.
        verify: Whether to hash and to look for NaN; None by size.

    Raises:
        CheckpointError: there is nothing that can be read, or names or shapes differ.
    """
    stored = open_origin(parse_origin(text, where="weights"), relative_to=relative_to)
    saved = saved_lock(stored, verify=verify)
    unwanted = [name for name in stored.shapes if slot_of(name) in {*MODULE_SLOTS} - {*slots}]
    names = match_exactly(
        stored.shapes,
        {name: shape for name, shape in state.shapes.items() if slot_of(name) in slots},
        ignored={*state.aliases, *unwanted},
        where=place_of(stored),
        fix="load them with the spec they were saved with, without overrides of the model's parts",
    )
    return Filling(
        tuple(slots),
        stored,
        names,
        (),
        is_worth_reading(stored, verify),
        _lines(state, stored, saved, slots),
        () if saved is None else tuple(compare(saved, lock)),
        None if saved is None or len(slots) < len(MODULE_SLOTS) else saved.weights,
    )


def _lines(
    state: ModuleTensors, stored: TensorSource, saved: Lock | None, slots: Collection[str]
) -> tuple[ReceiptLine, ...]:
    """Where the tensors come from: what their lock says, else the place itself."""
    if saved is None or saved.weights is None:
        return receipt_of(tensors_in(state, slots), "not recorded", via=stored.origin).lines
    lines = saved.weights.origins.read_from(stored.origin).lines
    return tuple(line for line in lines if line.part in slots)


def receipt_from(lines: Collection[ReceiptLine]) -> Receipt:
    """The receipt of a model, its parts in the order pixels and words pass through them."""
    return Receipt(tuple(sorted(lines, key=lambda line: PASSED_THROUGH.index(line.part))))


def tensors_in(state: ModuleTensors, slots: Collection[str]) -> dict[str, Tensor]:
    """The tensors of some slots, by name."""
    return {name: tensor for name, tensor in state.tensors.items() if slot_of(name) in slots}


def slot_of(name: str) -> str:
    """``projector`` of ``projector.linear_1.weight``."""
    return name.partition(".")[0]


def place_of(stored: TensorSource) -> str:
    """What they are called and where they lie, for messages."""
    return f"{stored.origin} ({stored.paths[0]})"
