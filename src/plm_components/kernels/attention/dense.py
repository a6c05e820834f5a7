"""Masks as tensors, made once a forward pass and shared by its layers."""

from __future__ import annotations

from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from plm_components.contracts import CausalCached, Documents, Mask

_Key = tuple[int, int, torch.device, int]
# every layer asks for the same mask object; it lives here as long as that object does
_MADE: WeakKeyDictionary[Mask, tuple[_Key, Tensor | None]] = WeakKeyDictionary()


def dense_mask(
    mask: Documents | CausalCached, num_queries: int, num_keys: int, device: torch.device
) -> Tensor | None:
    """``(1 or B, L, S)`` bool, true where a query may look; None where every query sees all.

    Raises nothing: shapes were checked before.
    """
    lengths = mask.cu_seqlens if isinstance(mask, Documents) else mask.lengths_B
    # the version counts writes into the tensor: a mask changed in place is made again
    key = (num_queries, num_keys, device, lengths._version)
    found = _MADE.get(mask)
    if found is None or found[0] != key:
        found = (key, _make(mask, num_queries, num_keys, device))
        _MADE[mask] = found
    return found[1]


def _make(
    mask: Documents | CausalCached, num_queries: int, num_keys: int, device: torch.device
) -> Tensor | None:
    allowed = mask.allowed(num_queries, num_keys, device=device)
    if isinstance(mask, CausalCached) and num_queries == 1 and device.type != "meta":
        # one sync a step, not one a layer: an even batch decodes without a mask
        return None if bool(allowed.all()) else allowed
    return allowed
