"""Masks as tensors, made once a forward pass and shared by its layers."""

from __future__ import annotations

import torch
from torch import Tensor

from plm_components.contracts import CausalCached, Documents
from plm_components.kernels.attention.memo import MaskMemo

_MADE: MaskMemo[Tensor | None] = MaskMemo()


def dense_mask(
    mask: Documents | CausalCached, num_queries: int, num_keys: int, device: torch.device
) -> Tensor | None:
    """``(1 or B, L, S)`` bool, true where a query may look; None where every query sees all."""

    def make() -> Tensor | None:
        allowed = mask.allowed(num_queries, num_keys, device=device)
        # neither on meta nor within a compiled graph can a value be read
        is_read = device.type != "meta" and not torch.compiler.is_compiling()
        if isinstance(mask, CausalCached) and num_queries == 1 and is_read:
            # one sync a step, not one a layer: an even batch decodes without a mask
            return None if bool(allowed.all()) else allowed
        return allowed

    return _MADE.get(mask, (num_queries, num_keys, device), make)
