"""torch's own attention, which picks a fused kernel by device and shape."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
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
    bf16 on a CPU is ten times faster so than with ``enable_gqa``. On a GPU they do so in fp32 and
    under a mask tensor too, where ``math`` would repeat the keys. cuDNN is given no mask tensors:
    it only adds -65504 to what is hidden. A query that sees no key gets zeros.

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
        gradient_precision="fast",
        portable=True,
    )

    def __init__(self, num_heads: int, num_kv_heads: int, head_dim: int) -> None:
        check_heads("attention/sdpa", num_heads, num_kv_heads, head_dim)
        self.num_heads, self.num_kv_heads, self.head_dim = num_heads, num_kv_heads, head_dim
        # compared in a call it would be symbolic under torch.compile, and only a bool is taken
        self._is_grouped = num_heads != num_kv_heads

    def __call__(self, q_BHLh: Tensor, k_BGSh: Tensor, v_BGSh: Tensor, mask: Mask) -> Tensor:
        """``(B,H,L,h), (B,G,S,h), (B,G,S,h)`` -> ``(B,H,L,h)`` in the dtype of q."""
        q, options = self._arguments(q_BHLh, k_BGSh, v_BGSh, mask)
        with _kernels_for(q, options):
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
        with _kernels_for(q, options):
            choice = SDPBackend(torch._fused_sdp_choice(q, k_BGSh, v_BGSh, **options))
        name = _NAMES.get(choice, choice.name.lower())
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
            return self._folded(q_BHLh), _masked(allowed)
        if self._is_grouped and _takes_no_groups(q_BHLh, allowed):
            if allowed is None and isinstance(mask, Causal):
                allowed = mask.allowed(num_queries, num_keys, device=q_BHLh.device)
            return self._folded(q_BHLh), _masked(self._repeated(allowed))
        options = {"is_causal": isinstance(mask, Causal), "enable_gqa": self._is_grouped}
        return q_BHLh, _masked(allowed) | options

    def _folded(self, q_BHLh: Tensor) -> Tensor:
        """``(B, H, L, h)`` -> ``(B, G, H/G * L, h)``."""
        return torch.unflatten(q_BHLh, 1, (self.num_kv_heads, -1)).flatten(2, 3)

    def _repeated(self, allowed_BLS: Tensor | None) -> Tensor | None:
        """``(1 or B, L, S)`` -> ``(1 or B, H/G * L, S)``, a row for each folded query."""
        if allowed_BLS is None:
            return None
        return allowed_BLS.repeat(1, self.num_heads // self.num_kv_heads, 1)


def _masked(allowed_BLS: Tensor | None) -> dict[str, Any]:
    return {"attn_mask": None if allowed_BLS is None else allowed_BLS[:, None]}


def _takes_no_groups(q_BHLh: Tensor, allowed: Tensor | None) -> bool:
    """Whether grouped heads would fall to ``math`` on a GPU, which repeats the keys.

    ``flash`` takes them in half precision and without a mask tensor, ``efficient`` in later
    versions of torch than 2.11.
    """
    if q_BHLh.device.type != "cuda":
        return False
    return allowed is not None or q_BHLh.dtype not in (torch.bfloat16, torch.float16)


def _kernels_for(q: Tensor, options: dict[str, Any]) -> AbstractContextManager[object]:
    """Keeps cuDNN from mask tensors: it hides a key by adding -65504 to its score.

    A query that sees no key would see all of them, and so would a hidden score beyond that. What
    else the process forbids stays forbidden.
    """
    if q.device.type != "cuda" or options["attn_mask"] is None:
        return nullcontext()
    others = [SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]
    if torch.compiler.is_compiling():
        # within a graph it cannot be asked what the process allows
        return sdpa_kernel(others)
    # their questions are untyped
    cuda: Any = torch.backends.cuda
    allows = (cuda.mem_efficient_sdp_enabled(), cuda.math_sdp_enabled())
    return sdpa_kernel([kernel for kernel, on in zip(others, allows, strict=True) if on])
