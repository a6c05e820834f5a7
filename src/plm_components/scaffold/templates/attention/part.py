"""Exact attention that never holds the scores of more than a few queries."""

from __future__ import annotations

from typing import ClassVar

import torch
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
from torch import Tensor

_ADDRESS = "attention/my_part"


class MyPart:
    """``softmax(Q K^T / sqrt(head_dim)) V`` in fp32, some queries at a time.

    Args:
        num_heads: Query heads.
        num_kv_heads: Key/value heads, a divisor of ``num_heads``.
        head_dim: Channels of one head.
        chunk: Queries whose scores are held at once.

    Source:
        Rabe and Staats, arXiv 2112.05682, chunks of queries only.
    """

    __plm_kind__: ClassVar[str] = "attention"

    # asking for more than this is refused, never dropped
    support: ClassVar[AttentionSupport] = AttentionSupport(
        masks=frozenset({Full, Causal, Documents, CausalCached}),
        dtypes=frozenset({torch.float64, torch.float32, torch.bfloat16, torch.float16}),
        devices=frozenset({"cpu", "cuda", "mps", "meta"}),
        gqa=True,
        backward=frozenset({"cpu", "cuda", "mps", "meta"}),
    )

    def __init__(
        self, num_heads: int, num_kv_heads: int, head_dim: int, *, chunk: int = 128
    ) -> None:
        check_heads(_ADDRESS, num_heads, num_kv_heads, head_dim)
        self.num_heads, self.num_kv_heads, self.head_dim = num_heads, num_kv_heads, head_dim
        self.chunk = max(1, chunk)

    def __call__(self, q_BHLh: Tensor, k_BGSh: Tensor, v_BGSh: Tensor, mask: Mask) -> Tensor:
        """``(B,H,L,h), (B,G,S,h), (B,G,S,h)`` -> ``(B,H,L,h)`` in the dtype of q."""
        refuse_unsupported(_ADDRESS, self.support, q_BHLh, k_BGSh, mask)
        check_call(_ADDRESS, self.num_heads, self.num_kv_heads, q_BHLh, k_BGSh, mask)
        wide, shared = torch.promote_types(q_BHLh.dtype, torch.float32), self._queries_a_key
        k_BHSh = k_BGSh.to(wide).repeat_interleave(shared, 1)
        v_BHSh = v_BGSh.to(wide).repeat_interleave(shared, 1)
        allowed = mask.allowed(q_BHLh.shape[2], k_BGSh.shape[2], device=q_BHLh.device)
        chunks = zip(q_BHLh.split(self.chunk, 2), allowed.split(self.chunk, 1), strict=True)
        outs = [self._attend(q.to(wide), k_BHSh, v_BHSh, seen) for q, seen in chunks]
        return torch.cat(outs, 2).to(q_BHLh.dtype)

    @property
    def _queries_a_key(self) -> int:
        return self.num_heads // self.num_kv_heads

    def _attend(
        self, q_BHLh: Tensor, k_BHSh: Tensor, v_BHSh: Tensor, allowed_BLS: Tensor
    ) -> Tensor:
        hidden_B1LS = ~allowed_BLS[:, None]
        scores_BHLS = q_BHLh @ k_BHSh.mT * self.head_dim**-0.5
        # a finite floor, not -inf: a query that sees no key would be NaN
        floor = torch.finfo(scores_BHLS.dtype).min
        weights_BHLS = scores_BHLS.masked_fill(hidden_B1LS, floor).softmax(-1)
        return weights_BHLS.masked_fill(hidden_B1LS, 0.0) @ v_BHSh
