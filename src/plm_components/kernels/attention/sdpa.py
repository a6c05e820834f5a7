"""torch's own attention, which picks a fused kernel by device and shape."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from plm_components.contracts import (
    AttentionSupport,
    Causal,
    CausalCached,
    Documents,
    Full,
    Mask,
    refuse_unsupported,
)
from plm_components.kernels.attention.dense import dense_mask
from plm_components.kernels.attention.heads import check_call, check_heads


class SDPAAttention:
    """``torch.nn.functional.scaled_dot_product_attention``.

    Causal and Full cost no mask tensor. With one query (decoding) the query heads of a key/value
    head become queries of one sequence: bf16 on a CPU is ten times faster so than with
    ``enable_gqa``. A query that sees no key gets zeros.

    Args:
        num_heads: Query heads.
        num_kv_heads: Key/value heads, a divisor of ``num_heads``.
        head_dim: Channels of one head.
    """

    __plm_kind__: ClassVar[str] = "attention"

    support: ClassVar[AttentionSupport] = AttentionSupport(
        masks=frozenset({Full, Causal, Documents, CausalCached}),
        dtypes=frozenset({torch.float64, torch.float32, torch.bfloat16, torch.float16}),
        devices=frozenset({"cpu", "cuda", "mps", "meta"}),
        gqa=True,
        backward=frozenset({"cpu", "cuda", "mps", "meta"}),
        portable=True,
    )

    def __init__(self, num_heads: int, num_kv_heads: int, head_dim: int) -> None:
        check_heads("attention/sdpa", num_heads, num_kv_heads, head_dim)
        self.num_heads, self.num_kv_heads, self.head_dim = num_heads, num_kv_heads, head_dim

    def __call__(self, q_BHLh: Tensor, k_BGSh: Tensor, v_BGSh: Tensor, mask: Mask) -> Tensor:
        """``(B,H,L,h), (B,G,S,h), (B,G,S,h)`` -> ``(B,H,L,h)`` in the dtype of q."""
        refuse_unsupported("attention/sdpa", self.support, q_BHLh, k_BGSh, mask)
        check_call("attention/sdpa", self.num_heads, self.num_kv_heads, q_BHLh, k_BGSh, mask)
        num_queries, num_keys = q_BHLh.shape[2], k_BGSh.shape[2]
        allowed = None
        if isinstance(mask, Documents | CausalCached):
            allowed = dense_mask(mask, num_queries, num_keys, q_BHLh.device)
        if num_queries == 1:
            return self._one_query(q_BHLh, k_BGSh, v_BGSh, allowed)
        return scaled_dot_product_attention(
            q_BHLh,
            k_BGSh,
            v_BGSh,
            attn_mask=None if allowed is None else allowed[:, None],
            is_causal=isinstance(mask, Causal),
            enable_gqa=self.num_heads != self.num_kv_heads,
        )

    def _one_query(
        self, q_BH1h: Tensor, k_BGSh: Tensor, v_BGSh: Tensor, allowed: Tensor | None
    ) -> Tensor:
        # all heads of a group see the same keys, so one mask row serves them all
        q_BGRh = torch.unflatten(q_BH1h.squeeze(2), 1, (self.num_kv_heads, -1))
        mask_B11S = None if allowed is None else allowed[:, None]
        out_BGRh = scaled_dot_product_attention(q_BGRh, k_BGSh, v_BGSh, attn_mask=mask_B11S)
        return out_BGRh.flatten(1, 2).unsqueeze(2)
