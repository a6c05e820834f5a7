"""Weights of single parts: each checkpoint is shown to its part, and every name settled first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor

from plm_components.assembly.build import MODULE_SLOTS
from plm_components.assembly.examination import Examination, all_parts
from plm_components.assembly.filling import PASSED_THROUGH, Filling
from plm_components.assembly.lock import Lock, compare
from plm_components.assembly.stored_lock import is_worth_reading, saved_lock
from plm_components.checkpoints import (
    ModuleTensors,
    OpenedPart,
    ReceiptLine,
    RenamedTensors,
    StoredTensors,
    first_few,
    open_part,
    parse_part_origin,
    receipt_of,
)
from plm_components.contracts import CheckpointHeader, Reading, ReadsCheckpoints
from plm_components.errors import (
    CheckpointError,
    ContractError,
    PlmError,
    UnsupportedError,
    UsageError,
)
from plm_components.spec import Part, SpecTree


def grafted_slots(tree: SpecTree) -> dict[str, str]:
    """The ``weights:`` entry of each slot that has one of its own."""
    parts = {part.path: part.weights for part in all_parts(tree) if part.weights is not None}
    return {slot: parts[slot] for slot in PASSED_THROUGH if slot in parts}


def require_grafts(tree: SpecTree) -> None:
    """Refuses a spec in which no part names weights of its own.

    Raises:
        UsageError: there is nothing to graft.
    """
    if not grafted_slots(tree) and not unreadable_weights(tree):
        raise UsageError(
            "No part of the spec names weights.",
            where=tree.name or "the spec",
            expected=f"one of: {', '.join(f'{slot}.weights' for slot in PASSED_THROUGH)}",
            fix="add, say, vision_encoder.weights=hf:<directory>",
        )


def unreadable_weights(tree: SpecTree) -> list[PlmError]:
    """One error for each ``weights:`` entry that is none, or of a part that takes none."""
    errors: list[PlmError] = []
    for part in all_parts(tree):
        if part.weights is None:
            continue
        if part.path not in MODULE_SLOTS:
            errors.append(_no_weights_here(part))
            continue
        try:
            parse_part_origin(part.weights, where=f"{part.path}.weights")
        except PlmError as error:
            errors.append(error)
    return errors


def open_grafts(
    exam: Examination,
    state: ModuleTensors,
    *,
    lock: Lock,
    relative_to: Path | None,
    verify: bool | None,
) -> tuple[Filling, ...]:
    """Opens the checkpoint of every part that names one, and settles every name.

    Args:
        exam: The composition, its parts on the meta device.
        state: Tensors of the whole model.
        lock: Of what was built here.
        relative_to: Where relative paths start.
        verify: Whether to hash and to look for NaN; None by size.

    Raises:
        CheckpointError: a checkpoint that cannot be read, or is none of its part's.
        ContractError: a part whose map names other tensors than it has.
    """
    return tuple(
        _open_graft(exam, state, slot, text, lock, relative_to, verify)
        for slot, text in grafted_slots(exam.tree).items()
    )


def _open_graft(
    exam: Examination,
    state: ModuleTensors,
    slot: str,
    text: str,
    lock: Lock,
    relative_to: Path | None,
    verify: bool | None,
) -> Filling:
    where = f"{slot}.weights: {text}"
    wanted = {name: shape for name, shape in state.shapes.items() if name.startswith(f"{slot}.")}
    try:
        opened = open_part(parse_part_origin(text, where=where), relative_to=relative_to)
        saved = saved_lock(opened.stored, verify=verify) if opened.header is None else None
        if saved is not None:
            _require_same_part(saved, lock, slot)
        reading = _reading(exam, slot, opened, wanted)
        source = _seen(opened.stored, reading, slot, state)
        names = source.match(
            wanted,
            may_be_absent={f"{slot}.{name}" for name in reading.may_be_absent},
            where=str(source.paths[0]),
            fix=f"give {slot} in the spec the sizes of the checkpoint, or name other weights",
        )
    except PlmError as error:
        raise _relocated(error, where) from error
    look = is_worth_reading(opened.stored, verify)
    absent = tuple(name for name in wanted if name not in names)
    filling = Filling((slot,), source, names, absent, look, (), _differences(saved, lock, slot))
    return replace(filling, lines=_lines(filling, source, state, reading.what, text, saved))


def _reading(
    exam: Examination, slot: str, opened: OpenedPart, wanted: Mapping[str, Any]
) -> Reading:
    own = [name.removeprefix(f"{slot}.") for name in wanted]
    if opened.header is None:
        others = [name for name in opened.stored.shapes if not name.startswith(f"{slot}.")]
        return Reading("", {name: f"{slot}.{name}" for name in own}, others)
    part, instance = exam.part(slot), getattr(exam.parts, slot)
    assert part is not None
    if not isinstance(instance, ReadsCheckpoints):
        raise _reads_nothing(part, opened.header)
    reading = _asked(instance, opened.header)
    if set(reading.names) != set(own):
        raise _bad_map(part, set(own) ^ set(reading.names))
    return reading


def _asked(part: ReadsCheckpoints, header: CheckpointHeader) -> Reading:
    try:
        return part.reading(header)
    except PlmError:
        raise
    except Exception as error:  # a configuration that lies has no bottom
        raise CheckpointError(
            f"This is {header}, and its configuration makes no sense: "
            f"{type(error).__name__}: {' '.join(str(error).split())}",
            where="weights",
            expected="a configuration with the keys and values of its kind",
            fix="copy it again from where it came",
        ) from error


def _seen(
    stored: StoredTensors, reading: Reading, slot: str, state: ModuleTensors
) -> RenamedTensors:
    """The checkpoint under the model's names."""
    names = {f"{slot}.{ours}": theirs for ours, theirs in reading.names.items()}
    return RenamedTensors(stored, names, may_have={*reading.passed_over, *state.aliases})


def _lines(
    filling: Filling,
    source: RenamedTensors,
    state: ModuleTensors,
    what: str,
    text: str,
    saved: Lock | None,
) -> tuple[ReceiptLine, ...]:
    """What the receipt says: the lock's own lines for a variant of ours, else the checkpoint."""
    if saved is not None and saved.weights is not None:
        recorded = (line for line in saved.weights.origins.lines if line.part in filling.slots)
        digest = saved.weights.sha256
        return tuple(replace(line, via=text, sha256=line.sha256 or digest) for line in recorded)
    taken = source.sha256() if filling.look else None
    origin = f"{what} ({text})" if what else f"not recorded ({text})"
    lines = [
        replace(line, sha256=taken, passed_over=len(source.left_aside))
        for line in receipt_of(_chosen(state, filling.names), origin).lines
    ]
    if filling.absent:
        unused = f"zero: not in {text}, and no output depends on them"
        lines += receipt_of(_chosen(state, filling.absent), unused).lines
    return tuple(lines)


def _chosen(state: ModuleTensors, names: tuple[str, ...]) -> dict[str, Tensor]:
    return {name: state.tensors[name] for name in names}


def _require_same_part(saved: Lock, lock: Lock, slot: str) -> None:
    there = {part.path: part for part in saved.parts}.get(slot)
    here = {part.path: part for part in lock.parts}[slot]
    if there is None or (there.kind, there.name) == (here.kind, here.name):
        return
    raise CheckpointError(
        f"The {slot} saved there is {there.kind}/{there.name}, not {here.kind}/{here.name}.",
        where=slot,
        expected=f"weights of {here.kind}/{here.name}",
        fix=f"set {slot}={there.name}, or name other weights",
    )


def _differences(saved: Lock | None, lock: Lock, slot: str) -> tuple[str, ...]:
    return () if saved is None else tuple(compare(_within(saved, slot), _within(lock, slot)))


def _within(lock: Lock, slot: str) -> Lock:
    inside = (p for p in lock.parts if p.path == slot or p.path.startswith(f"{slot}."))
    return replace(lock, parts=tuple(inside))


def _relocated(error: PlmError, where: str) -> PlmError:
    # a file or a directory in the error's own place is worth keeping; a part's own word is not
    place = where if error.where in ("weights", where) else f"{where} ({error.where})"
    return type(error)(error.what, where=place, expected=error.expected, fix=error.fix)


def _reads_nothing(part: Part, header: CheckpointHeader) -> UnsupportedError:
    return UnsupportedError(
        f"This is {header}, and {part.entry.address} reads no files of others.",
        where="weights",
        expected="plm:<directory>, the same part of a saved variant, or no weights of its own",
        fix=f"delete {part.path}.weights and say init='random', or choose another part",
    )


def _bad_map(part: Part, names: set[str]) -> ContractError:
    return ContractError(
        f"The map of {part.entry.address} does not name its tensors: {first_few(sorted(names))}.",
        where="weights",
        expected="reading() that names every tensor of the part, and no other",
        fix="correct reading() of the part",
    )


def _no_weights_here(part: Part) -> UnsupportedError:
    return UnsupportedError(
        f"{part.path} takes no weights of its own.",
        where=f"{part.path}.weights: {part.weights}",
        expected=f"weights of a whole slot: {', '.join(PASSED_THROUGH)}",
        fix=f"delete {part.path}.weights",
    )
