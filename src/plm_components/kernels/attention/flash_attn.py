"""FlashAttention 2: fused CUDA kernels, documents as blocks, a cache read in place."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from plm_components.contracts import (
    AttentionSupport,
    Causal,
    CausalCached,
    Documents,
    Full,
    Mask,
    refuse_unsupported,
)
from plm_components.kernels.attention.heads import check_call, check_heads
from plm_components.kernels.attention.imported import import_kernels
from plm_components.kernels.attention.packing import flatten_rows, pack, unflatten_rows

_ADDRESS = "attention/flash_attn"


class FlashAttnAttention:
    """``flash_attn_func`` and its kin. Fewer key/value heads are passed as they are.

    Behind a cache ``flash_attn_with_kvcache`` reads the rows where they lie, without waiting for
    the device; with gradients, which it has none of, their valid keys are copied end to end. A
    query that sees no key gets zeros, or is refused where there are gradients.

    Args:
        num_heads: Query heads.
        num_kv_heads: Key/value heads, a divisor of ``num_heads``.
        head_dim: Channels of one head.

    Raises:
        UnavailableError: flash-attn is installed and cannot be imported.

    Source:
        Dao, arXiv 2307.08691; github.com/Dao-AILab/flash-attention, flash_attn_interface.py.
    """

    __plm_kind__: ClassVar[str] = "attention"

    support: ClassVar[AttentionSupport] = AttentionSupport(
        masks=frozenset({Full, Causal, Documents, CausalCached}),
        dtypes=frozenset({torch.bfloat16, torch.float16}),
        devices=frozenset({"cuda", "meta"}),
        gqa=True,
        backward=frozenset({"cuda", "meta"}),
        gradient_precision="fast",
        head_dims=frozenset(range(8, 257, 8)),
    )

    def __init__(self, num_heads: int, num_kv_heads: int, head_dim: int) -> None:
        check_heads(_ADDRESS, num_heads, num_kv_heads, head_dim)
        import_kernels(_ADDRESS, "flash_attn")
        self.num_heads, self.num_kv_heads, self.head_dim = num_heads, num_kv_heads, head_dim

    def __call__(self, q_BHLh: Tensor, k_BGSh: Tensor, v_BGSh: Tensor, mask: Mask) -> Tensor:
        """``(B,H,L,h), (B,G,S,h), (B,G,S,h)`` -> ``(B,H,L,h)`` in the dtype of q."""
        refuse_unsupported(_ADDRESS, self.support, q_BHLh, k_BGSh, mask)
        check_call(_ADDRESS, self.num_heads, self.num_kv_heads, q_BHLh, k_BGSh, mask)
        if q_BHLh.device.type == "meta":
            return torch.empty_like(q_BHLh)
        if isinstance(mask, Full | Causal):
            return _batched(q_BHLh, k_BGSh, v_BGSh, mask)
        differentiable = any(x.requires_grad for x in (q_BHLh, k_BGSh, v_BGSh))
        if isinstance(mask, Documents) or (differentiable and torch.is_grad_enabled()):
            return _packed(q_BHLh, k_BGSh, v_BGSh, mask)
        return _cached(q_BHLh, k_BGSh, v_BGSh, mask)


def _batched(q_BHLh: Tensor, k_BGSh: Tensor, v_BGSh: Tensor, mask: Full | Causal) -> Tensor:
    flash = import_kernels(_ADDRESS, "flash_attn")
    q_BLHh, k_BSGh, v_BSGh = (x.transpose(1, 2) for x in (q_BHLh, k_BGSh, v_BGSh))
    out_BLHh: Tensor = flash.flash_attn_func(
        q_BLHh, k_BSGh, v_BSGh, causal=isinstance(mask, Causal)
    )
    return out_BLHh.transpose(1, 2)


def _packed(
    q_BHLh: Tensor, k_BGSh: Tensor, v_BGSh: Tensor, mask: Documents | CausalCached
) -> Tensor:
    flash = import_kernels(_ADDRESS, "flash_attn")
    blocks = pack(_ADDRESS, mask, q_BHLh, k_BGSh)
    # causal is aligned at the last positions of a block, as from version 2.1 on
    out_THh: Tensor = flash.flash_attn_varlen_func(
        flatten_rows(q_BHLh),
        blocks.keys(k_BGSh),
        blocks.keys(v_BGSh),
        cu_seqlens_q=blocks.query_starts,
        cu_seqlens_k=blocks.key_starts,
        max_seqlen_q=max(blocks.query_lens),
        max_seqlen_k=max(blocks.key_lens),
        causal=True,
    )
    return unflatten_rows(out_THh, len(q_BHLh))


def _cached(q_BHLh: Tensor, k_BGSh: Tensor, v_BGSh: Tensor, mask: CausalCached) -> Tensor:
    flash = import_kernels(_ADDRESS, "flash_attn")
    q_BLHh, k_BSGh, v_BSGh = (x.transpose(1, 2) for x in (q_BHLh, k_BGSh, v_BGSh))
    # never beyond the keys that are there: a kernel would read foreign memory
    seen_B = (mask.lengths_B.to(q_BHLh.device) + q_BHLh.shape[2]).clamp(0, k_BGSh.shape[2])
    out_BLHh: Tensor = flash.flash_attn_with_kvcache(
        q_BLHh, k_BSGh, v_BSGh, cache_seqlens=seen_B.to(torch.int32), causal=True
    )
    return out_BLHh.transpose(1, 2)
