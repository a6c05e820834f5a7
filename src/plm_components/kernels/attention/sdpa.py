"""torch's own attention, which picks a fused kernel by device and shape."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend
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

# as torch.nn.attention.SDPBackend numbers them
_NAMES = {
    SDPBackend.MATH: "math",
    SDPBackend.FLASH_ATTENTION: "flash",
    SDPBackend.EFFICIENT_ATTENTION: "efficient",
    SDPBackend.CUDNN_ATTENTION: "cudnn",
}


class SDPAAttention:
    """``torch.nn.functional.scaled_dot_product_attention``; ``backend`` names the kernel it takes.

    Causal and Full cost no mask tensor, Documents and CausalCached one for all layers (torch's own
    ``nn.attention.varlen`` has changed its arguments from version to version, so it is not used).
    With one query (decoding) the query heads of a key/value head become queries of one sequence:
    bf16 on a CPU is ten times faster so than with ``enable_gqa``. On a GPU they do so too where
    no fused kernel takes grouped heads (torch 2.11: fp32, and any mask tensor without cuDNN);
    ``math`` would repeat the keys. A query that sees no key gets zeros.

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
        q, options = self._arguments(q_BHLh, k_BGSh, v_BGSh, mask)
        out = scaled_dot_product_attention(q, k_BGSh, v_BGSh, **options)
        return out if q is q_BHLh else out.reshape(q_BHLh.shape)

    def backend(self, q_BHLh: Tensor, k_BGSh: Tensor, v_BGSh: Tensor, mask: Mask) -> str:
        """Which of torch's kernels a call with these arguments takes, in this process.

        ``flash``, ``efficient``, ``cudnn`` or ``math``; on a CPU ``flash (cpu)`` or ``math``.

        Source:
            ``torch._fused_sdp_choice``, which scaled_dot_product_attention itself asks
            (aten/src/ATen/native/transformers/attention.cpp); it has no public name.
        """
        q, options = self._arguments(q_BHLh, k_BGSh, v_BGSh, mask)
        name = _chosen(q, k_BGSh, v_BGSh, options)
        return f"{name} (cpu)" if q.device.type == "cpu" and name != "math" else name

    def _arguments(
        self, q_BHLh: Tensor, k_BGSh: Tensor, v_BGSh: Tensor, mask: Mask
    ) -> tuple[Tensor, dict[str, Any]]:
        """The queries, folded or not, and the keywords of scaled_dot_product_attention."""
        refuse_unsupported("attention/sdpa", self.support, q_BHLh, k_BGSh, mask)
        check_call("attention/sdpa", self.num_heads, self.num_kv_heads, q_BHLh, k_BGSh, mask)
        num_queries, num_keys = q_BHLh.shape[2], k_BGSh.shape[2]
        allowed = None
        if isinstance(mask, Documents | CausalCached):
            allowed = dense_mask(mask, num_queries, num_keys, q_BHLh.device)
        if num_queries == 1:
            # all heads of a group see the same keys, so one row of the mask serves them all
            return self._folded(q_BHLh), {
                "attn_mask": None if allowed is None else allowed[:, None]
            }
        options = {
            "attn_mask": None if allowed is None else allowed[:, None],
            "is_causal": isinstance(mask, Causal),
            "enable_gqa": self.num_heads != self.num_kv_heads,
        }
        if not options["enable_gqa"] or q_BHLh.device.type != "cuda":
            return q_BHLh, options
        if _chosen(q_BHLh, k_BGSh, v_BGSh, options) != "math":
            return q_BHLh, options
        return self._folded(q_BHLh), {"attn_mask": self._folded_mask(mask, q_BHLh, num_keys)}

    def _folded(self, q_BHLh: Tensor) -> Tensor:
        """``(B, H, L, h)`` -> ``(B, G, H/G * L, h)``."""
        return torch.unflatten(q_BHLh, 1, (self.num_kv_heads, -1)).flatten(2, 3)

    def _folded_mask(self, mask: Mask, q_BHLh: Tensor, num_keys: int) -> Tensor | None:
        if isinstance(mask, Full):
            return None
        allowed = mask.allowed(q_BHLh.shape[2], num_keys, device=q_BHLh.device)
        return allowed.repeat(1, self.num_heads // self.num_kv_heads, 1)[:, None]


def _chosen(q: Tensor, k: Tensor, v: Tensor, options: dict[str, Any]) -> str:
    choice = SDPBackend(torch._fused_sdp_choice(q, k, v, **options))
    return _NAMES.get(choice, choice.name.lower())
