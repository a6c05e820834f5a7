"""The oracle: attention as the formula says, scores and softmax in fp32."""

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


class EagerAttention:
    """``softmax(Q K^T / sqrt(head_dim)) V``, computed in fp32 (float64 for float64 inputs).

    Does every mask, every device and gradients; a query that sees no key gets zeros. Everything
    else is measured against it.

    Args:
        num_heads: Query heads.
        num_kv_heads: Key/value heads, a divisor of ``num_heads``.
        head_dim: Channels of one head.
    """

    compiles: ClassVar[bool] = True
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
        check_heads("attention/eager", num_heads, num_kv_heads, head_dim)
        self.num_heads, self.num_kv_heads, self.head_dim = num_heads, num_kv_heads, head_dim

    def __call__(self, q_BHLh: Tensor, k_BGSh: Tensor, v_BGSh: Tensor, mask: Mask) -> Tensor:
        """``(B,H,L,h), (B,G,S,h), (B,G,S,h)`` -> ``(B,H,L,h)`` in the dtype of q."""
        refuse_unsupported("attention/eager", self.support, q_BHLh, k_BGSh, mask)
        check_call("attention/eager", self.num_heads, self.num_kv_heads, q_BHLh, k_BGSh, mask)
        wide = torch.promote_types(q_BHLh.dtype, torch.float32)
        # query heads that share a key/value head stand beside each other on their own axis
        q_BGRLh = torch.unflatten(q_BHLh.to(wide), 1, (self.num_kv_heads, -1))
        k_BG1Sh, v_BG1Sh = k_BGSh.to(wide).unsqueeze(2), v_BGSh.to(wide).unsqueeze(2)
        scores = q_BGRLh @ k_BG1Sh.transpose(-1, -2) * self.head_dim**-0.5
        out_BGRLh = _softmax(scores, mask) @ v_BG1Sh
        return out_BGRLh.flatten(1, 2).to(q_BHLh.dtype)


def _softmax(scores_BGRLS: Tensor, mask: Mask) -> Tensor:
    if isinstance(mask, Full):
        return scores_BGRLS.softmax(-1)
    num_queries, num_keys = scores_BGRLS.shape[-2:]
    allowed = mask.allowed(num_queries, num_keys, device=scores_BGRLS.device)
    hidden_B11LS = ~allowed[:, None, None]
    # a finite floor, not -inf: a row without a key would be NaN, and its gradient too
    floor = torch.finfo(scores_BGRLS.dtype).min
    probabilities = scores_BGRLS.masked_fill(hidden_B11LS, floor).softmax(-1)
    return probabilities.masked_fill(hidden_B11LS, 0.0)
