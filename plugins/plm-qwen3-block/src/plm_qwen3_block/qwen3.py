"""Qwen3's layer: grouped attention whose queries and keys are normalised, then SwiGLU."""

from __future__ import annotations

from typing import Annotated, ClassVar

from torch import Generator, Tensor, nn
from torch.nn.functional import silu
from torch.nn.init import trunc_normal_

from plm_components.contracts import Attention, DefaultPart, LayerCache, Mask
from plm_components.errors import ContractError
from plm_components.kernels.norms import RMSNorm
from plm_components.kernels.rotary import apply_rotary


class Qwen3Block(nn.Module):
    """``x + attend(norm(x))``, then ``x + swiglu(norm(x))``; no bias anywhere.

    Unlike Llama's layer it normalises every query and key head before rotary turns it (QK-norm),
    and its heads have a size of their own: 16 heads of 128 channels stand in a width of 1024.

    Args:
        dim: Channels of the decoder.
        layer_index: Which layer of the decoder this is, from 0.
        num_heads: Query heads.
        num_kv_heads: Key/value heads, a divisor of ``num_heads``.
        ffn_dim: Channels between the two halves of SwiGLU.
        attention: Kernel that does the softmax.
        head_dim: Channels of one head, whatever ``dim`` is.
        norm_eps: Added to the mean square in all four norms.

    Shapes:
        x_BLD ``(B, L, dim)`` -> ``(B, L, dim)``.

    Raises:
        ContractError: head_dim is odd: rotary turns pairs.

    Source:
        Qwen3, arXiv 2505.09388, section 2; QK-norm, arXiv 2302.05442.
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
        head_dim: int = 128,
        norm_eps: float = 1e-6,
    ) -> None:
        super().__init__()
        if head_dim < 2 or head_dim % 2:
            raise ContractError(
                f"head_dim={head_dim} gives no even number of channels a head.",
                where="decoder_block/qwen3",
                expected="heads of an even number of channels, since rotary turns them in pairs",
                fix="set head_dim to what the checkpoint has, such as 128",
            )
        self.dim, self.layer_index, self.ffn_dim = dim, layer_index, ffn_dim
        self.num_heads, self.num_kv_heads, self.head_dim = num_heads, num_kv_heads, head_dim
        self.attention = attention
        self.attention_norm = RMSNorm(dim, norm_eps)
        self.q_proj = nn.Linear(dim, num_heads * head_dim, bias=False)
        self.k_proj = nn.Linear(dim, num_kv_heads * head_dim, bias=False)
        self.v_proj = nn.Linear(dim, num_kv_heads * head_dim, bias=False)
        self.q_norm = RMSNorm(head_dim, norm_eps)
        self.k_norm = RMSNorm(head_dim, norm_eps)
        self.o_proj = nn.Linear(num_heads * head_dim, dim, bias=False)
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
        # what is cached is normalised and turned: a step touches its own token only
        q_BHLh = apply_rotary(self.q_norm(self._heads(self.q_proj(y_BLD))), rotary)
        k_BGSh = apply_rotary(self.k_norm(self._heads(self.k_proj(y_BLD))), rotary)
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
        for module in self.modules():
            if isinstance(module, RMSNorm):
                module.init_weights()
            elif isinstance(module, nn.Linear):
                std = module.in_features**-0.5
                trunc_normal_(module.weight, std=std, a=-3 * std, b=3 * std, generator=generator)
