"""A checked composition gets its weights: read by exact names, or fresh from a seed."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import torch
from torch import Tensor

from plm_components.assembly.build import placed
from plm_components.assembly.examination import Examination, all_parts
from plm_components.assembly.local_files import lock_localised
from plm_components.assembly.lock import Lock, LockedWeights
from plm_components.assembly.promises import dtype_name
from plm_components.checkpoints import (
    LOCK_FILE,
    PUBLISHED,
    ModuleTensors,
    PLMSizes,
    Receipt,
    RenamedTensors,
    TensorSource,
    first_few,
    first_nonfinite,
    lock_text,
    match_exactly,
    materialise,
    materialise_buffers,
    open_origin,
    open_published,
    parse_origin,
    plm_sizes,
    receipt_of,
    require_plm,
    set_tensor,
    tensors_of,
    unfilled,
)
from plm_components.contracts import ids_of_media
from plm_components.errors import CheckpointError, ContractError, UnavailableError
from plm_components.model import PerceptionLM

# above this, the bytes are not read a second time to look for NaN unless asked
SMALL_BYTES = 1 << 30


def model_of(exam: Examination) -> PerceptionLM:
    """The model of an examined composition, still on the meta device."""
    parts = exam.parts
    ids = set(exam.tree.media_token_ids)
    if parts.tokenizer is not None:
        ids |= ids_of_media(parts.tokenizer)
    model = PerceptionLM(
        parts.vision_encoder, parts.projector, parts.decoder, media_token_ids=sorted(ids)
    )
    return model.eval()


def fill_at_random(
    model: PerceptionLM, *, device: torch.device, dtype: torch.dtype, seed: int
) -> Receipt:
    """Gives a meta model fresh weights; the same seed gives the same ones on every device.

    Args:
        model: On the meta device.
        device: Where the weights go.
        dtype: The model was built in.
        seed: Of all random numbers.

    Raises:
        ContractError: a part left a tensor unfilled.
        UnavailableError: they take more memory than this machine has.
    """
    _require_memory(model)
    materialise(model, "cpu")
    with placed("cpu", dtype), torch.no_grad():
        model.init_buffers()
        model.init_weights(torch.Generator().manual_seed(seed))
    left = unfilled(model)
    if left:
        raise ContractError(
            f"Tensors that neither init_weights nor init_buffers filled: {first_few(left)}.",
            where=left[0],
            expected="every parameter and buffer filled",
            fix="fill them in the part's init_weights, or init_buffers",
        )
    model.to(device)
    return receipt_of(tensors_of(model).tensors, f"random, seed {seed}", fresh=True)


def _require_memory(model: PerceptionLM) -> None:
    """Says so before the system stops the process, or refuses somewhere inside."""
    wanted = sum(tensor.nbytes for tensor in tensors_of(model).tensors.values())
    if not hasattr(os, "sysconf"):  # Windows refuses by itself
        return
    here = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if wanted > here:
        raise UnavailableError(
            f"The weights take {wanted:,} bytes.",
            where="init='random'",
            expected=f"at most the {here:,} bytes of this machine's memory",
            fix="choose a smaller model, or init='meta' for shapes only",
        )


def leave_on_meta(model: PerceptionLM) -> Receipt:
    """The receipt of a model without memory."""
    return receipt_of(tensors_of(model).tensors, "no memory (meta)", fresh=True)


def fill_from(
    model: PerceptionLM,
    stored: TensorSource,
    *,
    device: torch.device,
    dtype: torch.dtype,
    look: bool,
) -> None:
    """Gives a meta model the tensors of a file, by exact names; tensors are never held twice.

    Args:
        model: On the meta device.
        stored: Where the tensors are.
        device: Where they go.
        dtype: The model was built in; tensors are converted one by one.
        look: Whether to look for NaN and infinities.

    Raises:
        CheckpointError: names or shapes differ, a weight is not finite, or whole numbers stand
            where real ones are due.
    """
    state = tensors_of(model)
    names = _matched(stored, state)
    bad = _set_all(model, state, stored.read(names), device, look, _place(stored))
    if bad:
        raise CheckpointError(
            f"{len(bad)} tensors hold NaN or infinity: {first_few(bad)}.",
            where=_place(stored),
            expected="finite weights",
            fix="take an earlier checkpoint: the run that wrote this one had diverged",
        )
    materialise_buffers(model, device)
    with placed(device, dtype), torch.no_grad():
        model.init_buffers()


def _matched(stored: TensorSource, state: ModuleTensors) -> tuple[str, ...]:
    """The names to read; files of other formats are compared in their own names."""
    if isinstance(stored, RenamedTensors):
        return stored.match(
            state.shapes,
            where=_place(stored),
            fix="load the directory by itself (plm.load), or mend the spec: its configuration and "
            "its weights say different things",
        )
    return match_exactly(
        stored.shapes,
        state.shapes,
        ignored=state.aliases,
        where=_place(stored),
        fix="load them with the spec they were saved with, without overrides of the model's parts",
    )


def _set_all(
    model: PerceptionLM,
    state: ModuleTensors,
    stored: Iterable[tuple[str, Tensor]],
    device: torch.device,
    look: bool,
    place: str,
) -> list[str]:
    parameters = {name for name, _ in model.named_parameters()}
    bad: list[str] = []
    for name, tensor in stored:
        wanted = state.tensors[name].dtype
        if tensor.dtype.is_floating_point != wanted.is_floating_point:
            raise _of_another_kind(name, tensor.dtype, wanted, place)
        if look and name in parameters:
            bad += first_nonfinite([(name, tensor)])
        moved = tensor.to(device=device, dtype=wanted)
        set_tensor(model, state.names_of(name), moved)
    return bad


def _of_another_kind(
    name: str, found: torch.dtype, wanted: torch.dtype, place: str
) -> CheckpointError:
    return CheckpointError(
        f"{name} is stored as {dtype_name(found)}.",
        where=place,
        expected="real numbers" if wanted.is_floating_point else "whole numbers",
        fix="take weights that are not quantized, or an earlier checkpoint",
    )


def open_weights(
    exam: Examination, model: PerceptionLM, relative_to: Path | None
) -> TensorSource | None:
    """The tensors a spec names, headers read; None where it names none.

    Args:
        exam: The composition.
        model: Made of it, on the meta device.
        relative_to: Where a relative directory starts.

    Raises:
        CheckpointError: there is nothing that can be read.
        UnsupportedError: weights of a published PerceptionLM, for parts that are none of its.
    """
    if exam.tree.weights is None:
        return None
    origin = parse_origin(exam.tree.weights, where="weights")
    if origin.kind not in PUBLISHED:
        return open_origin(origin, relative_to=relative_to)
    sizes = sizes_of(exam, model)
    opened = open_published(origin, sizes, relative_to=relative_to)
    require_plm(tensors_of(model).tensors, opened.names, where="weights", kind=f"{origin.kind}:")
    return opened


def sizes_of(exam: Examination, model: PerceptionLM) -> PLMSizes:
    """The sizes that decide which tensors a published PerceptionLM like this one has."""
    blocks = exam.parts.instances.get("decoder.block", [])
    head_dim = blocks[0].head_dim if blocks else 1
    return plm_sizes(tensors_of(model).shapes, head_dim=head_dim)


def saved_lock(stored: TensorSource, *, verify: bool | None) -> Lock | None:
    """The lock beside some tensors; None where there is none.

    Args:
        stored: The tensors.
        verify: Compare the hash too; None does so below 1 GiB.

    Raises:
        CheckpointError: the tensors are not those the lock was written for.
    """
    path = stored.paths[0].parent / LOCK_FILE
    if not path.is_file():
        return None
    lock = Lock.from_json(lock_text(path), where=str(path))
    if lock.weights is not None:
        _require_same(stored, lock.weights, with_hash=is_worth_reading(stored, verify))
    return lock_localised(lock, path.parent.resolve())


def _require_same(stored: TensorSource, saved: LockedWeights, *, with_hash: bool) -> None:
    same = stored.num_bytes == saved.num_bytes and len(stored.shapes) == saved.num_tensors
    if not same or (with_hash and stored.sha256() != saved.sha256):
        raise CheckpointError(
            "The weights are not those the lock beside them was written for.",
            where=_place(stored),
            expected=f"{saved.num_tensors} tensors, {saved.num_bytes:,} bytes, "
            f"sha256 {saved.sha256[:12]}",
            fix="copy the whole directory again from where it came",
        )


def is_worth_reading(stored: TensorSource, verify: bool | None) -> bool:
    """Whether to read all bytes once more, only to verify them."""
    return stored.num_bytes < SMALL_BYTES if verify is None else verify


def receipt_for(model: PerceptionLM, stored: TensorSource, lock: Lock | None) -> Receipt:
    """Where the tensors just read come from: what their lock says, else the place itself."""
    if isinstance(stored, RenamedTensors):
        return receipt_of(tensors_of(model).tensors, stored.origin)
    if lock is not None and lock.weights is not None:
        return lock.weights.origins.read_from(stored.origin)
    return receipt_of(tensors_of(model).tensors, "not recorded", via=stored.origin)


def _place(stored: TensorSource) -> str:
    return f"{stored.origin} ({stored.paths[0]})"


def freeze(exam: Examination) -> None:
    """Applies ``trainable:`` of the spec; a nested part's own word counts more."""
    for part in all_parts(exam.tree):
        if part.trainable is None:
            continue
        for instance in exam.parts.instances.get(part.path, []):
            if isinstance(instance, torch.nn.Module):
                instance.requires_grad_(part.trainable)
