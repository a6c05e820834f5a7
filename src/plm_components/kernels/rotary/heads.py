"""Queries, keys and values in the buffer of their one product."""

from __future__ import annotations

import torch
from torch import Tensor


def heads_of(qkv_BLF: Tensor, num_heads: int, num_kv_heads: int) -> tuple[Tensor, Tensor, Tensor]:
    """Views of a fused product as heads.

    Shapes:
        ``(B, L, (H + 2 G) h)`` -> ``(B, H, L, h), (B, G, L, h), (B, G, L, h)``.
    """
    head_dim = qkv_BLF.shape[-1] // (num_heads + 2 * num_kv_heads)
    heads_BLNh = torch.unflatten(qkv_BLF, -1, (-1, head_dim))
    q_BLHh, k_BLGh, v_BLGh = torch.split(heads_BLNh, [num_heads, num_kv_heads, num_kv_heads], dim=2)
    return q_BLHh.transpose(1, 2), k_BLGh.transpose(1, 2), v_BLGh.transpose(1, 2)
