"""Half-split rotary on Triton: queries and keys at once, straight out of the fused product.

Unlike the formula in torch, which makes five passes over a tensor, each number is read once and
written once. The gradient is the transposed turn, by the negative angle, and needs the tables only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from plm_components.kernels.rotary.heads import heads_of
from plm_components.kernels.rotary.triton_kernels import move_heads
from plm_components.kernels.triton_device import (
    blocks_of,
    launching_on,
    power_of_2,
    refuse_elsewhere,
)

_ADDRESS, _INSTEAD = "kernels.rotary.triton", "kernels=torch of the decoder block"
# pairs a program turns, and the most heads among them
_TILE, _MOST_HEADS = 2048, 8

Tables = tuple[Tensor, Tensor]


def rotate(q_BHLh: Tensor, k_BGLh: Tensor, rotary: Tables) -> tuple[Tensor, Tensor]:
    """Queries and keys turned by their positions, in one kernel; fp32 or wider arithmetic.

    Args:
        q_BHLh: ``(B, H, L, h)``, any strides; ``h`` even.
        k_BGLh: ``(B, G, L, h)``, any strides.
        rotary: ``cos_BLh, sin_BLh``.

    Returns:
        Both, contiguous, in the dtype of q.

    Raises:
        UnsupportedError: no CUDA tensors, and no interpreter.
    """
    refuse_elsewhere(_ADDRESS, q_BHLh, k_BGLh, *rotary, instead=_INSTEAD)
    if torch.is_grad_enabled() and (q_BHLh.requires_grad or k_BGLh.requires_grad):
        q, k = _Rotate.apply(q_BHLh, k_BGLh, *rotary)
        return q, k
    return _turned((q_BHLh, k_BGLh), rotary)  # type: ignore[return-value]


def rotate_qkv(
    qkv_BLF: Tensor, rotary: Tables, num_heads: int, num_kv_heads: int
) -> tuple[Tensor, Tensor, Tensor]:
    """A fused product's queries, keys and values as heads, the first two turned; one kernel.

    Args:
        qkv_BLF: ``(B, L, (H + 2 G) h)``: queries, keys, values.
        rotary: ``cos_BLh, sin_BLh``.
        num_heads: ``H``.
        num_kv_heads: ``G``.

    Returns:
        ``(B, H, L, h), (B, G, L, h), (B, G, L, h)``, contiguous.

    Raises:
        UnsupportedError: no CUDA tensors, and no interpreter.
    """
    refuse_elsewhere(_ADDRESS, qkv_BLF, *rotary, instead=_INSTEAD)
    if torch.is_grad_enabled() and qkv_BLF.requires_grad:
        q, k, v = _RotateQKV.apply(qkv_BLF, *rotary, num_heads, num_kv_heads)
        return q, k, v
    return _turned(heads_of(qkv_BLF, num_heads, num_kv_heads), rotary)  # type: ignore[return-value]


class _Rotate(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, q_BHLh: Tensor, k_BGLh: Tensor, cos_BLh: Tensor, sin_BLh: Tensor
    ) -> tuple[Tensor, ...]:
        ctx.save_for_backward(cos_BLh, sin_BLh)
        return _turned((q_BHLh, k_BGLh), (cos_BLh, sin_BLh))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor | None, ...]:
        return *_turned(slopes, ctx.saved_tensors, back=True), None, None


class _RotateQKV(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        qkv_BLF: Tensor,
        cos_BLh: Tensor,
        sin_BLh: Tensor,
        num_heads: int,
        num_kv_heads: int,
    ) -> tuple[Tensor, ...]:
        ctx.save_for_backward(cos_BLh, sin_BLh)
        ctx.shape, ctx.heads = qkv_BLF.shape, (num_heads, num_kv_heads)
        return _turned(heads_of(qkv_BLF, num_heads, num_kv_heads), (cos_BLh, sin_BLh))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor | None, ...]:
        slope_BLF = slopes[0].new_empty(ctx.shape)
        _move(slopes, heads_of(slope_BLF, *ctx.heads), ctx.saved_tensors, back=True)
        return slope_BLF, None, None, None, None


def _turned(sources: Sequence[Tensor], tables: Tables, *, back: bool = False) -> tuple[Tensor, ...]:
    targets = tuple(
        torch.empty_like(source, memory_format=torch.contiguous_format) for source in sources
    )
    _move(sources, targets, tables, back=back)
    return targets


def _move(
    sources: Sequence[Tensor], targets: Sequence[Tensor], tables: Tables, *, back: bool
) -> None:
    """Two or three ``(B, heads, L, h)`` into as many; the third, of values, is not turned."""
    if not targets[0].numel():
        return
    # channels lie beside one another, whatever the other strides are
    sources = [x if x.stride(3) == 1 else x.contiguous() for x in sources]
    cos_BLh, sin_BLh = tables
    if cos_BLh.stride() != sin_BLh.stride() or cos_BLh.stride(2) != 1:
        cos_BLh, sin_BLh = cos_BLh.contiguous(), sin_BLh.contiguous()
    moved = [*_three(sources), *_three(targets)]
    batch, num_heads, num_positions, head_dim = sources[0].shape
    num_kv_heads = sources[1].shape[1]
    tile = _tile_of(num_positions, num_kv_heads, head_dim)
    blocks = [blocks_of(source.shape[1], tile["HEADS"]) for source in sources]
    with launching_on(cos_BLh):
        move_heads[(blocks_of(num_positions, tile["POSITIONS"]), sum(blocks), batch)](
            *moved,
            cos_BLh,
            sin_BLh,
            num_positions,
            num_heads,
            num_kv_heads,
            *(stride for heads in moved for stride in heads.stride()[:3]),
            *cos_BLh.stride()[:2],
            BACK=back,
            BITS=64 if torch.float64 in (sources[0].dtype, cos_BLh.dtype) else 32,
            **tile,
        )


def _three(heads: Sequence[Tensor]) -> Sequence[Tensor]:
    # without values the grid ends before them, and any tensor will do
    return heads if len(heads) == 3 else (*heads, heads[0])


def _tile_of(num_positions: int, num_kv_heads: int, head_dim: int) -> dict[str, int]:
    channels = power_of_2(head_dim // 2)
    heads = min(power_of_2(num_kv_heads), _MOST_HEADS)
    room = max(1, _TILE // (channels * heads))
    positions = min(power_of_2(num_positions), room)
    return {"HALF": head_dim // 2, "CHANNELS": channels, "HEADS": heads, "POSITIONS": positions}
