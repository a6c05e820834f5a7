"""Attention and MLP side by side, behind one norm."""

from __future__ import annotations

from typing import Annotated, ClassVar

from plm_components.contracts import Attention, DefaultPart, LayerCache, Mask
from plm_components.errors import ContractError
from plm_components.kernels.norms import RMSNorm
from plm_components.kernels.rotary import apply_rotary
from torch import Generator, Tensor, nn
from torch.nn.functional import gelu


class MyPart(nn.Module):
    """``x + attend(norm(x)) + mlp(norm(x))``: two short paths instead of one long one.

    Args:
        dim: Channels of the decoder.
        layer_index: Which layer of the decoder this is, from 0.
        attention: Kernel that does the softmax.
        num_heads: Query heads.
        num_kv_heads: Key/value heads, a divisor of ``num_heads``.
        ffn_ratio: Channels inside the MLP, in multiples of ``dim``.

    Shapes:
        x_BLD ``(B, L, dim)`` -> ``(B, L, dim)``.

    Raises:
        ContractError: heads without an even number of channels: rotary turns pairs.

    Source:
        PaLM, arXiv 2204.02311, section 2.
    """

    __plm_kind__: ClassVar[str] = "decoder_block"

    def __init__(
        self,
        dim: int,
        layer_index: int,
        *,
        attention: Annotated[Attention, DefaultPart("sdpa")],
        num_heads: int = 4,
        num_kv_heads: int = 2,
        ffn_ratio: int = 4,
    ) -> None:
        super().__init__()
        if dim % (2 * num_heads):
            raise ContractError(
                f"{dim} channels cannot be {num_heads} heads of an even number of channels.",
                where="decoder_block/my_part",
                expected="a width that divides by twice num_heads",
                fix="set num_heads to such a number",
            )
        self.layer_index = layer_index
        self.num_heads, self.num_kv_heads = num_heads, num_kv_heads
        self.head_dim = dim // num_heads
        self.attention = attention
        self.norm = RMSNorm(dim)
        self.q_proj = nn.Linear(dim, dim, bias=False)
        self.k_proj = nn.Linear(dim, num_kv_heads * self.head_dim, bias=False)
        self.v_proj = nn.Linear(dim, num_kv_heads * self.head_dim, bias=False)
        self.o_proj = nn.Linear(dim, dim, bias=False)
        self.up_proj = nn.Linear(dim, ffn_ratio * dim, bias=False)
        self.down_proj = nn.Linear(ffn_ratio * dim, dim, bias=False)

    def forward(
        self,
        x_BLD: Tensor,
        rotary: tuple[Tensor, Tensor],
        mask: Mask,
        cache: LayerCache | None = None,
    ) -> Tensor:
        """``(B, L, D)`` -> ``(B, L, D)``; rotary is fp32 ``cos_BLh, sin_BLh``, half-split."""
        y_BLD = self.norm(x_BLD)
        mlp_BLD: Tensor = self.down_proj(gelu(self.up_proj(y_BLD)))
        return x_BLD + self._attend(y_BLD, rotary, mask, cache) + mlp_BLD

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
        """Does nothing: the decoder owns the rotary tables."""

    def init_weights(self, generator: Generator | None = None) -> None:
        """Normals of deviation ``fan_in ** -0.5``; the norm at one."""
        self.norm.init_weights()
        for module in self.modules():
            if isinstance(module, nn.Linear):
                std = module.in_features**-0.5
                nn.init.normal_(module.weight, std=std, generator=generator)
