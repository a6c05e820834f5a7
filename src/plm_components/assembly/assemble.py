"""A resolved spec becomes a model with weights and a processor, after everything was checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from plm_components.assembly.build import MODULE_SLOTS, build_slot
from plm_components.assembly.examination import Examination
from plm_components.assembly.examine import PartCache, examine
from plm_components.assembly.filling import PASSED_THROUGH, open_whole, receipt_from
from plm_components.assembly.grafts import grafted_slots, open_grafts, unreadable_weights
from plm_components.assembly.lock import Lock, lock_of
from plm_components.assembly.repair import mend
from plm_components.assembly.unfit import UnfitError
from plm_components.assembly.weights import (
    fill_at_random,
    fill_from,
    freeze,
    leave_on_meta,
    model_of,
    recompute_buffers,
)
from plm_components.assembly.weights_licenses import weights_licenses
from plm_components.checkpoints import Receipt, tensors_of
from plm_components.errors import PlmError, TokenizerError, UsageError
from plm_components.model.perception_lm import PerceptionLM
from plm_components.model.processor import Processor
from plm_components.spec import SpecTree
from plm_components.zoo import NOT_STATED, Zoo

Init = Literal["random", "meta"]
_RANDOM = "init='random' (--init random)"


@dataclass(frozen=True)
class Wish:
    """What is asked for besides a spec.

    Args:
        device: Where the model goes.
        dtype: Of its parameters.
        init: How to fill them where the spec names no weights.
        seed: Of random weights.
        verify: Whether to read weights once more for their hash and for NaN; None by size.
        base: Directory that a relative ``plm:`` starts from; the working directory if None.
    """

    device: torch.device
    dtype: torch.dtype
    init: Init | None = None
    seed: int = 0
    verify: bool | None = None
    base: Path | None = None


@dataclass(frozen=True)
class Assembled:
    """A model, what feeds it, and where everything came from.

    Args:
        model: In eval mode.
        processor: Or the error that whoever needs it gets.
        lock: Of the parts, and of the weights where they have one.
        receipt: Of the tensors.
        differences: Between the lock beside the weights and what was built here, in words.
        notes: What was left aside when the weights were read, in words.
    """

    model: PerceptionLM
    processor: Processor | PlmError
    lock: Lock
    receipt: Receipt
    differences: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def assemble_tree(tree: SpecTree, zoo: Zoo, wish: Wish) -> Assembled:
    """Checks, builds and fills a resolved spec.

    Raises:
        UnfitError: parts that do not fit.
        CheckpointError: weights that are missing, broken, or of another spec.
        UnsupportedError: a part that takes no weights of its own names some.
        UsageError: ``init`` is missing, or contradicts the spec.
    """
    require_init(tree, wish.init)
    for error in unreadable_weights(tree):
        raise error
    cache: PartCache = {}
    exam = examine(tree, zoo, device=wish.device.type, dtype=wish.dtype, cache=cache)
    if exam.findings:
        edits, faults = mend(exam, cache)
        raise UnfitError(faults, edits)
    tokenizer_error = _complete_tokenizer(exam, wish)
    model = model_of(exam)
    processor = tokenizer_error or _processor(exam, model)
    if wish.init == "meta":
        assembled = Assembled(model, processor, lock_of(tree), leave_on_meta(model))
    else:
        assembled = _with_weights(exam, model, processor, wish)
    freeze(exam)
    return assembled


def _with_weights(
    exam: Examination, model: PerceptionLM, processor: Processor | PlmError, wish: Wish
) -> Assembled:
    """Every name is settled before the first tensor is given memory."""
    state, lock, base = tensors_of(model), lock_of(exam.tree), wish.base
    grafts = open_grafts(exam, state, lock=lock, relative_to=base, verify=wish.verify)
    rest = [slot for slot in MODULE_SLOTS if slot not in grafted_slots(exam.tree)]
    fillings, text = [*grafts], exam.tree.weights
    if text is not None and rest:
        blocks = exam.parts.instances.get("decoder.block", [])
        whole = open_whole(
            text,
            state,
            rest,
            lock=lock,
            head_dim=blocks[0].head_dim if blocks else 1,
            relative_to=base,
            verify=wish.verify,
        )
        fillings.append(whole)
    for filling in fillings:
        fill_from(model, state, filling, device=wish.device)
        recompute_buffers(model, filling.slots, device=wish.device, dtype=wish.dtype)
    lines = [line for filling in fillings for line in filling.lines]
    if text is None:
        fresh = fill_at_random(model, rest, device=wish.device, dtype=wish.dtype, seed=wish.seed)
        lines += fresh.lines
    stated = {**dict.fromkeys(PASSED_THROUGH, NOT_STATED), **weights_licenses(exam.tree, base)}
    lock = lock.with_weights_licenses(stated)
    recorded = [filling.recorded for filling in fillings if filling.recorded is not None]
    differences = tuple(words for filling in fillings for words in filling.differences)
    whole_lock = lock.with_weights(recorded[0]) if recorded else lock
    notes = tuple(words for filling in fillings for words in filling.notes)
    return Assembled(model, processor, whole_lock, receipt_from(lines), differences, notes)


def require_init(tree: SpecTree, init: object) -> None:
    """Refuses to guess where weights come from.

    Raises:
        UsageError: ``init`` is missing, unknown, or contradicts the spec's weights.
    """
    own = grafted_slots(tree)
    bare = [] if tree.weights is not None else [s for s in PASSED_THROUGH if s not in own]
    named = {**({} if tree.weights is None else {"weights": tree.weights}), **_entries(own)}
    first = ", ".join(f"{entry}: {text}" for entry, text in named.items())
    if init not in (None, "random", "meta"):
        what, expected = f"init={init!r} is none of ours.", "'random', 'meta' or None"
        fix = f"say {_RANDOM} for fresh weights"
    elif bare and init is None and own:
        what = f"The spec names weights of {', '.join(own)}, and none of {', '.join(bare)}."
        expected = "init said aloud for parts without weights"
        fix = f"say {_RANDOM} for fresh ones, or name " + ", ".join(_entries(dict.fromkeys(bare)))
    elif bare and init is None:
        what, expected = "The spec names no weights.", "init said aloud where weights is null"
        fix = f"say {_RANDOM} for fresh weights, init='meta' for shapes only, or name weights"
    elif init is not None and (not bare or (init == "meta" and own)):
        what = f"init={init!r} contradicts {first}."
        expected = "one of the two"
        fix = f"leave init out, or add the override {'=null '.join(named)}=null"
    else:
        return
    raise UsageError(what, where="assemble, init", expected=expected, fix=fix)


def _entries(own: Mapping[str, Any]) -> dict[str, Any]:
    return {f"{slot}.weights": text for slot, text in own.items()}


def _complete_tokenizer(exam: Examination, wish: Wish) -> PlmError | None:
    """Builds a tokenizer whose files may have to be fetched; the error waits until it is needed."""
    part = exam.part("tokenizer")
    if exam.parts.tokenizer is not None or part is None:
        return None
    if wish.init == "meta":
        return TokenizerError(
            "The tokenizer's files are not on this machine.",
            where="tokenizer",
            expected="its files, to turn words into ids",
            fix="put them where the spec says, or assemble with weights, which fetches them",
        )
    try:
        exam.parts.tokenizer = build_slot(part, exam.parts, device="cpu")
    except PlmError as error:
        return error
    return None


def _processor(exam: Examination, model: PerceptionLM) -> Processor:
    parts = exam.parts
    return Processor(
        parts.tokenizer,
        tokens_per_tile=model.tokens_per_tile(),
        mean=parts.vision_encoder.mean,
        std=parts.vision_encoder.std,
        image_tiler=parts.image_tiler,
        frame_transform=parts.frame_transform,
        video_sampler=parts.video_sampler,
        video_reader=parts.video_reader,
        **exam.tree.processor,
    )
