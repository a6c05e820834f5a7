"""A checked composition gets its weights: read by exact names, or fresh from a seed."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from typing import Any

import torch
from torch import Tensor

from plm_components.assembly.build import placed
from plm_components.assembly.examination import Examination, all_parts
from plm_components.assembly.filling import PASSED_THROUGH, Filling, place_of, tensors_in
from plm_components.assembly.promises import dtype_name
from plm_components.checkpoints import (
    ModuleTensors,
    Receipt,
    first_few,
    first_nonfinite,
    materialise,
    materialise_buffers,
    receipt_of,
    set_tensor,
    tensors_of,
    unfilled,
)
from plm_components.contracts import ids_of_media
from plm_components.errors import CheckpointError, ContractError, UnavailableError
from plm_components.model import PerceptionLM


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
    model: PerceptionLM,
    slots: Collection[str],
    *,
    device: torch.device,
    dtype: torch.dtype,
    seed: int,
) -> Receipt:
    """Gives parts on meta fresh weights; the same seed gives the same ones on every device.

    Args:
        model: Whose parts they are.
        slots: Which of them; the others are left alone, and draw no random number.
        device: Where the weights go.
        dtype: The model was built in.
        seed: Of all random numbers.

    Raises:
        ContractError: a part left a tensor unfilled.
        UnavailableError: they take more memory than this machine has.
    """
    _require_memory(tensors_in(tensors_of(model), slots).values())
    generator = torch.Generator().manual_seed(seed)
    for slot in (slot for slot in PASSED_THROUGH if slot in slots):
        part: Any = model.get_submodule(slot)
        materialise(part, "cpu")
        with placed("cpu", dtype), torch.no_grad():
            part.init_buffers()
            part.init_weights(generator)
        _require_filled(slot, part)
        part.to(device)
    return receipt_of(tensors_in(tensors_of(model), slots), f"random, seed {seed}", fresh=True)


def _require_memory(tensors: Iterable[Tensor]) -> None:
    """Says so before the system stops the process, or refuses somewhere inside."""
    wanted = sum(tensor.nbytes for tensor in tensors)
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


def _require_filled(slot: str, part: torch.nn.Module) -> None:
    left = [f"{slot}.{name}" for name in unfilled(part)]
    if left:
        raise ContractError(
            f"Tensors that neither init_weights nor init_buffers filled: {first_few(left)}.",
            where=left[0],
            expected="every parameter and buffer filled",
            fix="fill them in the part's init_weights, or init_buffers",
        )


def leave_on_meta(model: PerceptionLM) -> Receipt:
    """The receipt of a model without memory."""
    return receipt_of(tensors_of(model).tensors, "no memory (meta)", fresh=True)


def fill_from(
    model: PerceptionLM, state: ModuleTensors, filling: Filling, *, device: torch.device
) -> None:
    """Gives tensors of a meta model those of files; tensors are never held twice.

    On the CPU, in the dtype of the file, a tensor is a view of the file and takes no memory.

    Args:
        model: On the meta device.
        state: Its tensors; they decide the dtypes, and tensors are converted one by one.
        filling: What to read.
        device: Where the tensors go.

    Raises:
        CheckpointError: a weight is not finite, or whole numbers stand where real ones are due.
    """
    place = place_of(filling.source)
    stored = filling.source.read(filling.names)
    bad = _set_all(model, state, stored, device, filling.look, place)
    if bad:
        raise CheckpointError(
            f"{len(bad)} tensors hold NaN or infinity: {first_few(bad)}.",
            where=place,
            expected="finite weights",
            fix="take an earlier checkpoint: the run that wrote this one had diverged",
        )
    for name in filling.absent:
        zeros = torch.zeros_like(state.tensors[name], device=device, requires_grad=False)
        set_tensor(model, state.names_of(name), zeros)


def recompute_buffers(
    model: PerceptionLM, slots: Collection[str], *, device: torch.device, dtype: torch.dtype
) -> None:
    """Fills what no file holds, in the parts whose weights were read."""
    for slot in slots:
        part: Any = model.get_submodule(slot)
        materialise_buffers(part, device)
        with placed(device, dtype), torch.no_grad():
            part.init_buffers()


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


def freeze(exam: Examination) -> None:
    """Applies ``trainable:`` of the spec; a nested part's own word counts more."""
    for part in all_parts(exam.tree):
        if part.trainable is None:
            continue
        for instance in exam.parts.instances.get(part.path, []):
            if isinstance(instance, torch.nn.Module):
                instance.requires_grad_(part.trainable)
