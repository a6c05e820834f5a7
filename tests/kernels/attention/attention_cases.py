"""Calls that every attention part is tried with, and what is true of them."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from plm_components.contracts import Causal, CausalCached, Documents, Full, Mask

HEAD_DIM = 8
HEADS = ((4, 4), (4, 2), (6, 1))
# name -> queries, keys, mask
CASES: dict[str, tuple[int, int, Mask]] = {
    "full": (7, 11, Full()),
    "causal": (9, 9, Causal()),
    "one query": (1, 11, Full()),
    "one causal query": (1, 1, Causal()),
    "documents": (12, 12, Documents(torch.tensor([0, 5, 6, 12]))),
    "shared prefix": (12, 12, Documents(torch.tensor([4, 7, 12]), shared_prefix=4)),
    "ragged cache": (3, 9, CausalCached(torch.tensor([6, 2]))),
    "ragged decode": (1, 7, CausalCached(torch.tensor([6, 2]))),
    "even decode": (1, 7, CausalCached(torch.tensor([6, 6]))),
}


def cases_of(kernel: type, *names: str) -> list[str]:
    """The cases (of these names) whose mask a part declares."""
    masks = kernel.support.masks  # type: ignore[attr-defined]
    return [name for name in names or CASES if type(CASES[name][2]) in masks]


def inputs(
    heads: int,
    kv_heads: int,
    queries: int,
    keys: int,
    dtype: torch.dtype = torch.float32,
    device: str = "cpu",
    head_dim: int = HEAD_DIM,
) -> tuple[Tensor, Tensor, Tensor]:
    """Two rows of normals, the same on every device."""
    generator = torch.Generator().manual_seed(queries * 100 + keys)
    shapes = [
        (2, count, length, head_dim) for count, length in _sizes(heads, kv_heads, queries, keys)
    ]
    q, k, v = (torch.randn(shape, generator=generator) * 2 for shape in shapes)
    return q.to(device, dtype), k.to(device, dtype), v.to(device, dtype)


def _sizes(heads: int, kv_heads: int, queries: int, keys: int) -> list[tuple[int, int]]:
    return [(heads, queries), (kv_heads, keys), (kv_heads, keys)]


def allowed_by_loop(mask: Mask, queries: int, keys: int) -> Tensor:
    """The masks' definitions, one pair at a time."""
    out = torch.zeros(2, queries, keys, dtype=torch.bool)
    for row in range(2):
        for i in range(queries):
            for j in range(keys):
                out[row, i, j] = _may_look(mask, row, i, j)
    return out


def _may_look(mask: Mask, row: int, i: int, j: int) -> bool:
    if isinstance(mask, Full):
        return True
    if isinstance(mask, Causal):
        return j <= i
    if isinstance(mask, CausalCached):
        return j <= int(mask.lengths_B[row]) + i
    starts = mask.cu_seqlens.tolist()
    same = any(a <= i < b and a <= j < b for a, b in pairwise(starts))
    in_prefix = j < mask.shared_prefix
    return j <= i and (same or in_prefix)


def oracle(q: Tensor, k: Tensor, v: Tensor, mask: Mask) -> Tensor:
    """Attention by torch in float64, heads repeated."""
    repeats = q.shape[1] // k.shape[1]
    allowed = allowed_by_loop(mask, q.shape[2], k.shape[2]).to(q.device)
    return scaled_dot_product_attention(
        q.double(),
        k.double().repeat_interleave(repeats, 1),
        v.double().repeat_interleave(repeats, 1),
        attn_mask=allowed[:, None],
    )
