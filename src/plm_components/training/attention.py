"""Attention for training on a CPU: the same function as ``sdpa``, with a faster backward.

torch's fused CPU kernel pays several times the forward for its backward, most of all under a
mask; two matrix products and a softmax do not.
"""

from __future__ import annotations

from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from plm_components.contracts import Attention, Full, Mask

_BLOCKED = -30000.0
# made once a step, shared by all layers
_BIASES: WeakKeyDictionary[Mask, Tensor] = WeakKeyDictionary()


class TrainingAttention:
    """``softmax(Q K^T / sqrt(head_dim)) V`` in the dtype of its inputs.

    Args:
        num_heads: Query heads.
        num_kv_heads: Key/value heads.
    """

    def __init__(self, num_heads: int, num_kv_heads: int) -> None:
        self.num_heads, self.num_kv_heads = num_heads, num_kv_heads

    def __call__(self, q_BHLh: Tensor, k_BGSh: Tensor, v_BGSh: Tensor, mask: Mask) -> Tensor:
        """``(B,H,L,h), (B,G,S,h), (B,G,S,h)`` -> ``(B,H,L,h)``."""
        group = self.num_heads // self.num_kv_heads
        if group > 1:
            k_BGSh, v_BGSh = (x.repeat_interleave(group, dim=1) for x in (k_BGSh, v_BGSh))
        scores_BHLS = (q_BHLh * q_BHLh.shape[-1] ** -0.5) @ k_BGSh.transpose(-1, -2)
        if not isinstance(mask, Full):
            scores_BHLS = scores_BHLS + _bias(mask, scores_BHLS)
        return torch.softmax(scores_BHLS, dim=-1) @ v_BGSh


def _bias(mask: Mask, scores_BHLS: Tensor) -> Tensor:
    """``(1, 1, L, S)``, 0 where a query may look."""
    found = _BIASES.get(mask)
    if found is None:
        num_queries, num_keys = scores_BHLS.shape[-2:]
        allowed = mask.allowed(num_queries, num_keys, device=scores_BHLS.device)[:, None]
        found = torch.zeros(allowed.shape, dtype=scores_BHLS.dtype)
        found = _BIASES[mask] = found.masked_fill(~allowed, _BLOCKED)
    return found


def use_training_attention(model: nn.Module) -> None:
    """Gives every layer this kernel, wherever one chosen by a spec stands.

    Args:
        model: Its layers keep their kernels under the name ``attention``.
    """
    for layer in model.modules():
        chosen = getattr(layer, "attention", None)
        if isinstance(chosen, Attention):
            kernel = TrainingAttention(chosen.num_heads, chosen.num_kv_heads)
            setattr(layer, "attention", kernel)  # noqa: B010 - a layer's own, unknown to nn.Module
