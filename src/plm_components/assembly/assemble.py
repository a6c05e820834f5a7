"""A resolved spec becomes a model with weights and a processor, after everything was checked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from plm_components.assembly.build import build_slot
from plm_components.assembly.examination import Examination
from plm_components.assembly.examine import PartCache, examine, part_weights
from plm_components.assembly.lock import Lock, compare, lock_of
from plm_components.assembly.repair import mend
from plm_components.assembly.unfit import UnfitError
from plm_components.assembly.weights import (
    fill_at_random,
    fill_from,
    freeze,
    is_worth_reading,
    leave_on_meta,
    model_of,
    open_weights,
    receipt_for,
    saved_lock,
)
from plm_components.checkpoints import Receipt, RenamedTensors, TensorSource, first_few
from plm_components.errors import PlmError, TokenizerError, UsageError
from plm_components.model.perception_lm import PerceptionLM
from plm_components.model.processor import Processor
from plm_components.spec import SpecTree
from plm_components.zoo import Zoo

Init = Literal["random", "meta"]


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
        UnsupportedError: a part of the spec names weights of its own.
        UsageError: ``init`` is missing, or contradicts the spec.
    """
    require_init(tree, wish.init)
    for error in part_weights(tree):
        raise error
    cache: PartCache = {}
    exam = examine(tree, zoo, device=wish.device.type, dtype=wish.dtype, cache=cache)
    if exam.findings:
        edits, faults = mend(exam, cache)
        raise UnfitError(faults, edits)
    tokenizer_error = _complete_tokenizer(exam, wish)
    model = model_of(exam)
    processor = tokenizer_error or _processor(exam, model)
    stored = open_weights(exam, model, wish.base)
    if stored is not None:
        assembled = _with_stored(exam, model, processor, stored, wish)
    else:
        assembled = Assembled(model, processor, lock_of(tree), _fresh(model, wish))
    freeze(exam)
    return assembled


def _with_stored(
    exam: Examination,
    model: PerceptionLM,
    processor: Processor | PlmError,
    stored: TensorSource,
    wish: Wish,
) -> Assembled:
    saved = saved_lock(stored, verify=wish.verify)
    look = is_worth_reading(stored, wish.verify)
    fill_from(model, stored, device=wish.device, dtype=wish.dtype, look=look)
    receipt = receipt_for(model, stored, saved)
    lock = lock_of(exam.tree)
    if saved is None:
        return Assembled(model, processor, lock, receipt, notes=_left_aside(stored))
    whole = lock if saved.weights is None else lock.with_weights(saved.weights)
    return Assembled(model, processor, whole, receipt, tuple(compare(saved, lock)))


def _left_aside(stored: TensorSource) -> tuple[str, ...]:
    names = stored.left_aside if isinstance(stored, RenamedTensors) else ()
    return (f"tensors of the files that the model does not have: {first_few(names)}",) * bool(names)


def _fresh(model: PerceptionLM, wish: Wish) -> Receipt:
    if wish.init == "meta":
        return leave_on_meta(model)
    return fill_at_random(model, device=wish.device, dtype=wish.dtype, seed=wish.seed)


def require_init(tree: SpecTree, init: object) -> None:
    """Refuses to guess where weights come from.

    Raises:
        UsageError: ``init`` is missing, unknown, or contradicts the spec's weights.
    """
    if init not in (None, "random", "meta"):
        what, expected = f"init={init!r} is none of ours.", "'random', 'meta' or None"
        fix = "say init='random' for fresh weights"
    elif tree.weights is None and init is None:
        what, expected = "The spec names no weights.", "init said aloud where weights is null"
        fix = "say init='random' for fresh weights, init='meta' for shapes only, or name weights"
    elif tree.weights is not None and init is not None:
        what = f"init={init!r} contradicts weights: {tree.weights}."
        expected, fix = "one of the two", "leave init out, or add the override weights=null"
    else:
        return
    raise UsageError(what, where="assemble, init", expected=expected, fix=fix)


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
