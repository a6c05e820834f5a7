"""Llama's layer on Liger-Kernel's fused operators, with the plain block's weights.

Untested here: no machine of ours ran these kernels. The tests check everything around them, and the
arithmetic with the kernels' published definitions in their place.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch
from torch import Generator, Tensor, nn
from torch.nn.init import trunc_normal_

from plm_components.contracts import Attention, DefaultPart, LayerCache, Mask
from plm_components.errors import ContractError
from plm_liger_block import operators


class LigerBlock(nn.Module):
    """``decoder_block/prenorm_gqa_swiglu`` in fewer kernels; state dicts are interchangeable.

    Each RMSNorm, the rotary turn of queries and keys together, and the product in SwiGLU are one
    Triton kernel each. Training keeps less: the norm keeps one number a position, SwiGLU recomputes
    its activation. Untested here: it has not run on a GPU of ours.

    Args:
        dim: Channels of the decoder.
        layer_index: Which layer of the decoder this is, from 0.
        num_heads: Query heads.
        num_kv_heads: Key/value heads, a divisor of ``num_heads``.
        ffn_dim: Channels between the two halves of SwiGLU.
        attention: Kernel that does the softmax.
        head_dim: Channels of one head; ``dim / num_heads`` when None.
        norm_eps: Added to the mean square in both norms.

    Shapes:
        x_BLD ``(B, L, dim)`` -> ``(B, L, dim)``, on a CUDA device.

    Raises:
        ContractError: head_dim is odd (rotary turns pairs), or the heads do not divide ``dim``.
        UnsupportedError: forward on another device than CUDA.

    Source:
        Liger Kernel: Efficient Triton Kernels for LLM Training, arXiv 2410.10989; its functional
        API, ``liger_kernel.transformers.functional``.
    """

    __plm_kind__: ClassVar[str] = "decoder_block"

    def __init__(
        self,
        dim: int,
        layer_index: int,
        *,
        num_heads: int,
        num_kv_heads: int,
        ffn_dim: int,
        attention: Annotated[Attention, DefaultPart("sdpa")],
        head_dim: int | None = None,
        norm_eps: float = 1e-5,
    ) -> None:
        super().__init__()
        self.dim, self.layer_index, self.ffn_dim = dim, layer_index, ffn_dim
        self.num_heads, self.num_kv_heads = num_heads, num_kv_heads
        self.head_dim = head_dim or dim // num_heads
        if self.head_dim % 2 or (head_dim is None and dim % num_heads):
            raise ContractError(
                f"{num_heads} heads of {self.head_dim} channels in {dim} cannot be turned.",
                where="decoder_block/liger",
                expected="heads of an even number of channels, since rotary turns them in pairs",
                fix="set num_heads to a divisor of dim, or head_dim to an even number",
            )
        self.attention = attention
        self.attention_norm = _FusedNorm(dim, norm_eps)
        self.q_proj = nn.Linear(dim, num_heads * self.head_dim, bias=False)
        self.k_proj = nn.Linear(dim, num_kv_heads * self.head_dim, bias=False)
        self.v_proj = nn.Linear(dim, num_kv_heads * self.head_dim, bias=False)
        self.o_proj = nn.Linear(num_heads * self.head_dim, dim, bias=False)
        self.ffn_norm = _FusedNorm(dim, norm_eps)
        self.gate_proj = nn.Linear(dim, ffn_dim, bias=False)
        self.up_proj = nn.Linear(dim, ffn_dim, bias=False)
        self.down_proj = nn.Linear(ffn_dim, dim, bias=False)

    def forward(
        self,
        x_BLD: Tensor,
        rotary: tuple[Tensor, Tensor],
        mask: Mask,
        cache: LayerCache | None = None,
    ) -> Tensor:
        """``(B, L, D)`` -> ``(B, L, D)``; rotary is fp32 ``cos_BLh, sin_BLh``, half-split."""
        x_BLD = x_BLD + self._attend(self.attention_norm(x_BLD), rotary, mask, cache)
        y_BLD = self.ffn_norm(x_BLD)
        mlp_BLD: Tensor = self.down_proj(
            operators.silu_mul(self.gate_proj(y_BLD), self.up_proj(y_BLD))
        )
        return x_BLD + mlp_BLD

    def _attend(
        self,
        y_BLD: Tensor,
        rotary: tuple[Tensor, Tensor],
        mask: Mask,
        cache: LayerCache | None,
    ) -> Tensor:
        # fresh from their projections: the kernel may turn them in place
        q_BHLh, k_BGSh = operators.rotate(
            self._heads(self.q_proj(y_BLD)), self._heads(self.k_proj(y_BLD)), rotary
        )
        v_BGSh = self._heads(self.v_proj(y_BLD))
        if cache is not None:
            k_BGSh, v_BGSh, _ = cache.append(k_BGSh, v_BGSh)
        out_BHLh = self.attention(q_BHLh, k_BGSh, v_BGSh, mask)
        out_BLD: Tensor = self.o_proj(out_BHLh.transpose(1, 2).flatten(2))
        return out_BLD

    def _heads(self, flat_BLF: Tensor) -> Tensor:
        return flat_BLF.view(*flat_BLF.shape[:2], -1, self.head_dim).transpose(1, 2)

    def init_buffers(self) -> None:
        """Nothing to recompute: the decoder owns the rotary tables."""

    def init_weights(self, generator: Generator | None = None) -> None:
        """As the plain block: the same generator gives the same weights."""
        for module in self.modules():
            if isinstance(module, _FusedNorm):
                nn.init.ones_(module.weight)
            elif isinstance(module, nn.Linear):
                fan_in = self.ffn_dim if module is self.down_proj else self.dim
                std = fan_in**-0.5
                trunc_normal_(module.weight, std=std, a=-3 * std, b=3 * std, generator=generator)


class _FusedNorm(nn.Module):
    def __init__(self, dim: int, eps: float) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x: Tensor) -> Tensor:
        return operators.rms_norm(x, self.weight, self.eps)
