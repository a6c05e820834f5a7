"""Rotary position embedding in the half-split layout, fp32 whatever the model's dtype.

Channel ``j`` turns with channel ``j + head_dim/2``: transformers' layout. Weights in the original
interleaved layout are permuted when they are read, never here.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from plm_components.kernels.rotary.frequencies import RopeScaling, rope_frequencies
from plm_components.kernels.rotary.heads import heads_of


def apply_rotary(x_BHLh: Tensor, rotary: tuple[Tensor, Tensor]) -> Tensor:
    """Turns queries or keys by their positions.

    Args:
        x_BHLh: ``(B, H, L, h)``, any float dtype.
        rotary: fp32 ``cos_BLh, sin_BLh``.

    Returns:
        ``(B, H, L, h)`` in the dtype of ``x_BHLh``; the arithmetic is fp32 or wider.
    """
    cos_B1Lh, sin_B1Lh = rotary[0].unsqueeze(1), rotary[1].unsqueeze(1)
    wide = torch.promote_types(x_BHLh.dtype, cos_B1Lh.dtype)
    turned = x_BHLh.to(wide)
    first, second = turned.chunk(2, dim=-1)
    swapped = torch.cat((-second, first), dim=-1)
    return (turned * cos_B1Lh + swapped * sin_B1Lh).to(x_BHLh.dtype)


def rotate_qkv(
    qkv_BLF: Tensor, rotary: tuple[Tensor, Tensor], num_heads: int, num_kv_heads: int
) -> tuple[Tensor, Tensor, Tensor]:
    """A fused product's queries, keys and values as heads, the first two turned.

    Args:
        qkv_BLF: ``(B, L, (H + 2 G) h)``: queries, keys, values.
        rotary: fp32 ``cos_BLh, sin_BLh``.
        num_heads: ``H``.
        num_kv_heads: ``G``.

    Returns:
        ``(B, H, L, h), (B, G, L, h), (B, G, L, h)``; the values are a view.
    """
    q_BHLh, k_BGLh, v_BGLh = heads_of(qkv_BLF, num_heads, num_kv_heads)
    return apply_rotary(q_BHLh, rotary), apply_rotary(k_BGLh, rotary), v_BGLh


class HalfSplitRotary(nn.Module):
    """Positions to the fp32 tables that every layer of a decoder shares.

    Args:
        head_dim: Channels of one head, even.
        theta: Base of the frequencies.
        scaling: Llama 3's stretch of the slow frequencies.
    """

    inv_freq: Tensor

    def __init__(self, head_dim: int, theta: float, scaling: RopeScaling) -> None:
        super().__init__()
        self.head_dim, self.theta, self.scaling = head_dim, theta, scaling
        self.register_buffer("inv_freq", torch.empty(head_dim // 2), persistent=False)
        self.init_buffers()

    def init_buffers(self) -> None:
        """Recomputes the frequencies, in fp32, on the device where they are."""
        values = rope_frequencies(self.head_dim, self.theta, self.scaling)
        self.inv_freq = values.to(self.inv_freq.device)

    def forward(self, positions_BL: Tensor) -> tuple[Tensor, Tensor]:
        """``(B, L)`` int -> fp32 ``cos_BLh, sin_BLh``."""
        half_BLh = positions_BL[..., None].to(torch.float32) * self.inv_freq
        angles_BLh = torch.cat((half_BLh, half_BLh), dim=-1)
        return angles_BLh.cos(), angles_BLh.sin()

    def _apply(self, fn, recurse=True):  # type: ignore[no-untyped-def]
        # model.to(bfloat16) would round the frequencies: after any move they are made anew
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        self.init_buffers()
        return self
