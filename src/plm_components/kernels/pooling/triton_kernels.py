"""Triton: the mean of token windows with GELU before it, forward and backward.

A program makes a tile of output tokens by channels; it walks over the positions of their windows,
so that neighbouring threads always read neighbouring channels. After the elementwise and reduction
patterns of Triton's tutorials (triton-lang.org, 01 and 05).
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def _place(num_rows, num_channels, ROWS: tl.constexpr, CHANNELS: tl.constexpr):
    """Output tokens and channels of this program; programs side by side share tokens."""
    across = tl.cdiv(num_channels, CHANNELS)
    row_R = tl.program_id(0) // across * ROWS + tl.arange(0, ROWS)
    channel_C = tl.program_id(0) % across * CHANNELS + tl.arange(0, CHANNELS)
    inside_RC = (row_R < num_rows)[:, None] & (channel_C < num_channels)[None, :]
    return row_R, channel_C, inside_RC


@triton.jit
def _corner(row_R, num_out, grid_w, out_w, WINDOW: tl.constexpr):
    """Batch row, and first token of the window: 64 bits, since strides are multiplied by them."""
    out_R = row_R % num_out
    token_R = (out_R // out_w) * WINDOW * grid_w + (out_R % out_w) * WINDOW
    return (row_R // num_out).to(tl.int64), token_R.to(tl.int64)


@triton.jit
def _upper_tail(size, BITS: tl.constexpr):
    """P(N > size) of a normal N, and exp(-size^2 / 2), for size >= 0.

    The tail is its bell times a polynomial of 1 / (1 + 0.3 size), in the manner of Abramowitz and
    Stegun 7.1.26, fitted to the ratio on the whole half line: 6e-8 relatively for 32 bits, 2e-6
    for inputs of 16, whose own rounding is 5e-4. Unlike libdevice's erf it has no branch, of which
    the threads of a warp would walk both sides, and loses nothing to cancellation on the left.
    """
    bell = tl.exp2(-0.7213475204444817 * size * size)
    if BITS == 64:
        tail = 0.5 * (1.0 - tl.math.erf(size * 0.7071067811865476))
    elif BITS == 32:
        t = 1.0 / (1.0 + 0.3 * size)
        ratio = 0.0383775423 * t - 0.169162813
        ratio = ratio * t + 0.228653923
        ratio = ratio * t - 0.0765001406
        ratio = ratio * t + 0.142531602
        ratio = ratio * t + 0.0946850153
        ratio = ratio * t + 0.121920002
        ratio = ratio * t + 0.119487731
        tail = (ratio * t + 7.16664635e-6) * bell
    else:
        # one instruction, where a division is eight
        t = tl.rsqrt((1.0 + 0.3 * size) * (1.0 + 0.3 * size))
        ratio = -0.0845914719 * t + 0.240566864
        ratio = ratio * t - 0.0486364166
        ratio = ratio * t + 0.164758949
        ratio = ratio * t + 0.106706586
        ratio = ratio * t + 0.121274311
        tail = (ratio * t - 7.9759895e-5) * bell
    return tail, bell


@triton.jit
def _size(x):
    """|x|, NaN kept, cut where the tail is nothing: no square overflows, no infinity times 0."""
    return tl.minimum(tl.abs(x), 16.0, propagate_nan=tl.PropagateNan.ALL)


@triton.jit
def _gelu(x, BITS: tl.constexpr):
    size = _size(x)
    tail, _ = _upper_tail(size, BITS)
    return tl.maximum(x, 0.0) - size * tail


@triton.jit
def _gelu_slope(x, BITS: tl.constexpr):
    size = _size(x)
    tail, bell = _upper_tail(size, BITS)
    left = tail - 0.3989422804014327 * size * bell
    return tl.where(x > 0, 1.0 - left, left)


@triton.jit
def pool(
    x_ptr,
    y_ptr,
    num_rows,
    num_out,
    num_channels,
    grid_w,
    out_w,
    x_stride_b,
    x_stride_n,
    x_stride_c,
    WINDOW: tl.constexpr,
    GELU: tl.constexpr,
    ROWS: tl.constexpr,
    CHANNELS: tl.constexpr,
    BITS: tl.constexpr,
):
    """Means ``y (B, num_out, C)``, contiguous, over the windows of ``x (B, h*w, C)``, strided."""
    wide: tl.constexpr = tl.float64 if BITS == 64 else tl.float32
    row_R, channel_C, inside_RC = _place(num_rows, num_channels, ROWS, CHANNELS)
    batch_R, token_R = _corner(row_R, num_out, grid_w, out_w, WINDOW)
    across_C = channel_C.to(tl.int64) * x_stride_c
    total_RC = tl.zeros([ROWS, CHANNELS], wide)
    # unrolled, so that the loads of a 2x2 window are all under way at once
    for step in tl.range(0, WINDOW * WINDOW, loop_unroll_factor=4):
        at_R = token_R + (step // WINDOW) * grid_w + step % WINDOW
        offset_R = batch_R * x_stride_b + at_R * x_stride_n
        x_RC = tl.load(x_ptr + offset_R[:, None] + across_C[None, :], mask=inside_RC, other=0.0)
        total_RC += _gelu(x_RC.to(wide), BITS) if GELU else x_RC.to(wide)
    mean_RC = total_RC * (1.0 / (WINDOW * WINDOW))
    place_RC = row_R.to(tl.int64)[:, None] * num_channels + channel_C[None, :]
    tl.store(y_ptr + place_RC, mean_RC.to(y_ptr.dtype.element_ty), mask=inside_RC)


@triton.jit
def pool_backward(
    x_ptr,
    dy_ptr,
    dx_ptr,
    num_rows,
    num_out,
    num_channels,
    grid_w,
    out_w,
    x_stride_b,
    x_stride_n,
    x_stride_c,
    dy_stride_b,
    dy_stride_m,
    dy_stride_c,
    WINDOW: tl.constexpr,
    GELU: tl.constexpr,
    ROWS: tl.constexpr,
    CHANNELS: tl.constexpr,
    BITS: tl.constexpr,
):
    """Slopes ``dx (B, h*w, C)``, contiguous, from ``dy (B, num_out, C)``; from x if GELU was."""
    wide: tl.constexpr = tl.float64 if BITS == 64 else tl.float32
    row_R, channel_C, inside_RC = _place(num_rows, num_channels, ROWS, CHANNELS)
    batch_R, token_R = _corner(row_R, num_out, grid_w, out_w, WINDOW)
    wide_C = channel_C.to(tl.int64)
    from_R = batch_R * dy_stride_b + (row_R % num_out).to(tl.int64) * dy_stride_m
    from_RC = from_R[:, None] + (wide_C * dy_stride_c)[None, :]
    dy_RC = tl.load(dy_ptr + from_RC, mask=inside_RC, other=0.0).to(wide)
    share_RC = dy_RC * (1.0 / (WINDOW * WINDOW))
    first_R = batch_R * num_out * WINDOW * WINDOW
    for step in tl.range(0, WINDOW * WINDOW, loop_unroll_factor=4):
        at_R = token_R + (step // WINDOW) * grid_w + step % WINDOW
        dx_RC = share_RC
        if GELU:
            offset_R = batch_R * x_stride_b + at_R * x_stride_n
            offset_RC = offset_R[:, None] + (wide_C * x_stride_c)[None, :]
            x_RC = tl.load(x_ptr + offset_RC, mask=inside_RC, other=0.0).to(wide)
            dx_RC = share_RC * _gelu_slope(x_RC, BITS)
        place_RC = (first_R + at_R)[:, None] * num_channels + channel_C[None, :]
        tl.store(dx_ptr + place_RC, dx_RC.to(dx_ptr.dtype.element_ty), mask=inside_RC)
