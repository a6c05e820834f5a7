"""Llama's layer: RMSNorm, grouped attention with rotary, SwiGLU, both residual."""

from __future__ import annotations

from typing import Annotated, ClassVar

from torch import Generator, Tensor, nn
from torch.nn.functional import silu
from torch.nn.init import trunc_normal_

from plm_components.contracts import Attention, DefaultPart, LayerCache, Mask
from plm_components.errors import ContractError
from plm_components.kernels.norms import RMSNorm
from plm_components.kernels.rotary import apply_rotary


class PrenormGQASwiGLUBlock(nn.Module):
    """``x + attend(norm(x))``, then ``x + swiglu(norm(x))``; no bias anywhere.

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
        x_BLD ``(B, L, dim)`` -> ``(B, L, dim)``.

    Raises:
        ContractError: head_dim is odd (rotary turns pairs), or the heads do not divide ``dim``.

    Source:
        Llama 3, arXiv 2407.21783; SwiGLU, arXiv 2002.05202; grouped queries, arXiv 2305.13245.
    """

    compiles: ClassVar[bool] = True
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
            raise _bad_heads(dim, num_heads, head_dim)
        self.attention = attention
        self.attention_norm = RMSNorm(dim, norm_eps)
        self.q_proj = nn.Linear(dim, num_heads * self.head_dim, bias=False)
        self.k_proj = nn.Linear(dim, num_kv_heads * self.head_dim, bias=False)
        self.v_proj = nn.Linear(dim, num_kv_heads * self.head_dim, bias=False)
        self.o_proj = nn.Linear(num_heads * self.head_dim, dim, bias=False)
        self.ffn_norm = RMSNorm(dim, norm_eps)
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
        mlp_BLD: Tensor = self.down_proj(silu(self.gate_proj(y_BLD)) * self.up_proj(y_BLD))
        return x_BLD + mlp_BLD

    def _attend(
        self,
        y_BLD: Tensor,
        rotary: tuple[Tensor, Tensor],
        mask: Mask,
        cache: LayerCache | None,
    ) -> Tensor:
        q_BHLh = apply_rotary(self._heads(self.q_proj(y_BLD)), rotary)
        k_BGSh = apply_rotary(self._heads(self.k_proj(y_BLD)), rotary)
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
        """Truncated normal at 3 sigma, sigma one over the root of the inputs; norms at one."""
        self.attention_norm.init_weights()
        self.ffn_norm.init_weights()
        into = (self.q_proj, self.k_proj, self.v_proj, self.o_proj, self.gate_proj, self.up_proj)
        for linear, fan_in in (
            *((part, self.dim) for part in into),
            (self.down_proj, self.ffn_dim),
        ):
            std = fan_in**-0.5
            trunc_normal_(linear.weight, std=std, a=-3 * std, b=3 * std, generator=generator)


def _bad_heads(dim: int, num_heads: int, head_dim: int | None) -> ContractError:
    size = f"head_dim={head_dim}" if head_dim else f"dim={dim} over {num_heads} heads"
    return ContractError(
        f"{size} gives no even number of channels a head.",
        where="decoder_block/prenorm_gqa_swiglu",
        expected="heads of an even number of channels, since rotary turns them in pairs",
        fix="set num_heads to a divisor of dim, or head_dim to an even number",
    )
