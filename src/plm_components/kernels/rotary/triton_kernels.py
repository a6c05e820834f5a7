"""Triton: heads turned by their positions on the way from one layout to another.

A program moves a tile of positions by heads by half a head's channels. It reads each number once
and writes it once, whatever the strides are: the buffer of a fused product on the one side, heads
one after another on the other. The way back is the transpose of the turn.
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def _move(
    x_ptr,
    y_ptr,
    cos_ptr,
    sin_ptr,
    table_at_P11,
    batch,
    position_P,
    first_head,
    num_positions,
    num_heads,
    x_stride_b,
    x_stride_h,
    x_stride_l,
    y_stride_b,
    y_stride_h,
    y_stride_l,
    TURN: tl.constexpr,
    BACK: tl.constexpr,
    HALF: tl.constexpr,
    CHANNELS: tl.constexpr,
    HEADS: tl.constexpr,
    BITS: tl.constexpr,
):
    wide: tl.constexpr = tl.float64 if BITS == 64 else tl.float32
    channel_C = tl.arange(0, CHANNELS)
    head_H = (first_head + tl.arange(0, HEADS)).to(tl.int64)
    position_P11 = position_P[:, None, None]
    head_1H1, channel_11C = head_H[None, :, None], channel_C[None, None, :]
    there_P1C = (position_P11 < num_positions) & (channel_11C < HALF)
    inside = there_P1C & (head_1H1 < num_heads)
    from_ptr = x_ptr + (batch * x_stride_b + head_1H1 * x_stride_h + position_P11 * x_stride_l)
    to_ptr = y_ptr + (batch * y_stride_b + head_1H1 * y_stride_h + position_P11 * y_stride_l)
    first = tl.load(from_ptr + channel_11C, mask=inside, other=0.0)
    second = tl.load(from_ptr + (channel_11C + HALF), mask=inside, other=0.0)
    if TURN:
        at_P1C = table_at_P11 + channel_11C
        cos_1 = tl.load(cos_ptr + at_P1C, mask=there_P1C, other=0.0).to(wide)
        cos_2 = tl.load(cos_ptr + at_P1C + HALF, mask=there_P1C, other=0.0).to(wide)
        sin_1 = tl.load(sin_ptr + at_P1C, mask=there_P1C, other=0.0).to(wide)
        sin_2 = tl.load(sin_ptr + at_P1C + HALF, mask=there_P1C, other=0.0).to(wide)
        x_1, x_2 = first.to(wide), second.to(wide)
        if BACK:
            y_1, y_2 = x_1 * cos_1 + x_2 * sin_2, x_2 * cos_2 - x_1 * sin_1
        else:
            y_1, y_2 = x_1 * cos_1 - x_2 * sin_1, x_2 * cos_2 + x_1 * sin_2
        first, second = y_1.to(y_ptr.dtype.element_ty), y_2.to(y_ptr.dtype.element_ty)
    tl.store(to_ptr + channel_11C, first, mask=inside)
    tl.store(to_ptr + (channel_11C + HALF), second, mask=inside)


@triton.jit
def move_heads(
    q_ptr,
    k_ptr,
    v_ptr,
    to_q_ptr,
    to_k_ptr,
    to_v_ptr,
    cos_ptr,
    sin_ptr,
    num_positions,
    num_heads,
    num_kv_heads,
    q_stride_b,
    q_stride_h,
    q_stride_l,
    k_stride_b,
    k_stride_h,
    k_stride_l,
    v_stride_b,
    v_stride_h,
    v_stride_l,
    to_q_stride_b,
    to_q_stride_h,
    to_q_stride_l,
    to_k_stride_b,
    to_k_stride_h,
    to_k_stride_l,
    to_v_stride_b,
    to_v_stride_h,
    to_v_stride_l,
    table_stride_b,
    table_stride_l,
    BACK: tl.constexpr,
    HALF: tl.constexpr,
    CHANNELS: tl.constexpr,
    HEADS: tl.constexpr,
    POSITIONS: tl.constexpr,
    BITS: tl.constexpr,
):
    """Queries and keys turned, values as they are, each ``(B, heads, L, 2 * HALF)`` of any strides.

    The second axis of the grid runs over blocks of query heads, then key heads, then value heads;
    it may end before the values.
    """
    block, batch = tl.program_id(1), tl.program_id(2).to(tl.int64)
    position_P = (tl.program_id(0) * POSITIONS + tl.arange(0, POSITIONS)).to(tl.int64)
    table_at_P11 = (batch * table_stride_b + position_P * table_stride_l)[:, None, None]
    q_blocks, k_blocks = tl.cdiv(num_heads, HEADS), tl.cdiv(num_kv_heads, HEADS)
    if block < q_blocks:
        _move(
            q_ptr,
            to_q_ptr,
            cos_ptr,
            sin_ptr,
            table_at_P11,
            batch,
            position_P,
            block * HEADS,
            num_positions,
            num_heads,
            q_stride_b,
            q_stride_h,
            q_stride_l,
            to_q_stride_b,
            to_q_stride_h,
            to_q_stride_l,
            True,
            BACK,
            HALF,
            CHANNELS,
            HEADS,
            BITS,
        )
    elif block < q_blocks + k_blocks:
        _move(
            k_ptr,
            to_k_ptr,
            cos_ptr,
            sin_ptr,
            table_at_P11,
            batch,
            position_P,
            (block - q_blocks) * HEADS,
            num_positions,
            num_kv_heads,
            k_stride_b,
            k_stride_h,
            k_stride_l,
            to_k_stride_b,
            to_k_stride_h,
            to_k_stride_l,
            True,
            BACK,
            HALF,
            CHANNELS,
            HEADS,
            BITS,
        )
    else:
        _move(
            v_ptr,
            to_v_ptr,
            cos_ptr,
            sin_ptr,
            table_at_P11,
            batch,
            position_P,
            (block - q_blocks - k_blocks) * HEADS,
            num_positions,
            num_kv_heads,
            v_stride_b,
            v_stride_h,
            v_stride_l,
            to_v_stride_b,
            to_v_stride_h,
            to_v_stride_l,
            False,
            BACK,
            HALF,
            CHANNELS,
            HEADS,
            BITS,
        )
