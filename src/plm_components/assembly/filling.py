"""Weights that were found and matched, before any is read; and those of a whole variant."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

from torch import Tensor

from plm_components.assembly.build import MODULE_SLOTS
from plm_components.assembly.lock import Lock, LockedWeights, compare
from plm_components.assembly.stored_lock import is_worth_reading, saved_lock
from plm_components.checkpoints import (
    PUBLISHED,
    ModuleTensors,
    Origin,
    Receipt,
    ReceiptLine,
    TensorSource,
    first_few,
    match_exactly,
    open_origin,
    open_published,
    parse_origin,
    plm_sizes,
    receipt_of,
    require_plm,
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
        notes: What was left aside, in words.
    """

    slots: tuple[str, ...]
    source: TensorSource
    names: tuple[str, ...]
    absent: tuple[str, ...]
    look: bool
    lines: tuple[ReceiptLine, ...]
    differences: tuple[str, ...] = ()
    recorded: LockedWeights | None = None
    notes: tuple[str, ...] = ()


def open_whole(
    text: str,
    state: ModuleTensors,
    slots: Collection[str],
    *,
    lock: Lock,
    head_dim: int,
    relative_to: Path | None,
    verify: bool | None,
) -> Filling:
    """Opens the weights at the top of a spec, for the parts that name none of their own.

    Args:
        text: The spec's ``weights:``.
        state: Tensors of the whole model.
        slots: Whose are wanted; those of other slots may be there, and are passed over.
        lock: Of what was built here.
        head_dim: Of the decoder's blocks, which decides the key map of a published PerceptionLM.
        relative_to: Where a relative directory starts.
        verify: Whether to hash and to look for NaN; None by size.

    Raises:
        CheckpointError: there is nothing that can be read, or names or shapes differ.
        UnsupportedError: weights of a published PerceptionLM, for parts that are none of its.
    """
    origin = parse_origin(text, where="weights")
    if origin.kind in PUBLISHED:
        return _open_published(origin, state, slots, head_dim, relative_to, verify)
    stored = open_origin(origin, relative_to=relative_to)
    saved = saved_lock(stored, verify=verify)
    unwanted = [name for name in stored.shapes if slot_of(name) in {*MODULE_SLOTS} - {*slots}]
    names = match_exactly(
        stored.shapes,
        _wanted(state, slots),
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


def _open_published(
    origin: Origin,
    state: ModuleTensors,
    slots: Collection[str],
    head_dim: int,
    relative_to: Path | None,
    verify: bool | None,
) -> Filling:
    """A PerceptionLM of another format, by the key map of its sizes."""
    sizes, wanted = plm_sizes(state.shapes, head_dim=head_dim), _wanted(state, slots)
    opened = open_published(origin, sizes, relative_to=relative_to)
    known = {name: theirs for name, theirs in opened.names.items() if slot_of(name) in slots}
    require_plm(wanted, known, where="weights", kind=f"{origin.kind}:")
    others = [theirs for name, theirs in opened.names.items() if name not in known]
    chosen = replace(opened, names=known, may_have={*opened.may_have, *others})
    names = chosen.match(
        wanted,
        where=place_of(opened),
        fix="mend the spec, or, where the directory is loaded as it is (plm.load), fetch it again: "
        "its configuration and its weights say different things",
    )
    look = is_worth_reading(opened, verify)
    taken = opened.sha256() if look else None
    lines = receipt_of(tensors_in(state, slots), opened.origin).lines
    aside = opened.left_aside
    notes = f"tensors of the files that the model does not have: {first_few(aside)}"
    return Filling(
        tuple(slots),
        chosen,
        names,
        (),
        look,
        tuple(replace(line, sha256=taken) for line in lines),
        notes=(notes,) if aside else (),
    )


def _wanted(state: ModuleTensors, slots: Collection[str]) -> dict[str, tuple[int, ...]]:
    return {name: shape for name, shape in state.shapes.items() if slot_of(name) in slots}


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
