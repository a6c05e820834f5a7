"""Triton: RMSNorm, with the addition before it, forward and backward.

A program holds whole rows in registers. The weight's gradient is a sum over rows: each program adds
up its own, in order, and the partial sums are added by torch, so that bits repeat (no atomics).
After Triton's tutorial 05 and Liger-Kernel (arXiv 2410.10989), read for ideas.
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def _inverse_root(x, BITS: tl.constexpr):
    """1 / sqrt(x), both steps rounded to nearest: there is one a row."""
    return 1.0 / tl.sqrt(x) if BITS == 64 else tl.div_rn(1.0, tl.sqrt_rn(x))


@triton.jit
def rms_norm(
    x_ptr,
    delta_ptr,
    weight_ptr,
    sum_ptr,
    y_ptr,
    scale_ptr,
    num_rows,
    dim,
    x_stride,
    delta_stride,
    EPS: tl.constexpr,
    ADD: tl.constexpr,
    ROWS: tl.constexpr,
    DIM: tl.constexpr,
    BITS: tl.constexpr,
):
    """Norms ``y`` and ``scale = 1 / rms`` of ``x``, or of ``sum = x + delta``, rounded, if ADD."""
    wide: tl.constexpr = tl.float64 if BITS == 64 else tl.float32
    row_R = (tl.program_id(0) * ROWS + tl.arange(0, ROWS)).to(tl.int64)
    channel_D = tl.arange(0, DIM)
    inside_R, inside_D = row_R < num_rows, channel_D < dim
    inside_RD = inside_R[:, None] & inside_D[None, :]
    at_RD = row_R[:, None] * x_stride + channel_D[None, :]
    to_RD = row_R[:, None] * dim + channel_D[None, :]
    x_RD = tl.load(x_ptr + at_RD, mask=inside_RD, other=0.0).to(wide)
    if ADD:
        delta_at_RD = row_R[:, None] * delta_stride + channel_D[None, :]
        delta_RD = tl.load(delta_ptr + delta_at_RD, mask=inside_RD, other=0.0).to(wide)
        sum_RD = (x_RD + delta_RD).to(sum_ptr.dtype.element_ty)
        tl.store(sum_ptr + to_RD, sum_RD, mask=inside_RD)
        x_RD = sum_RD.to(wide)
    scale_R = _inverse_root(tl.sum(x_RD * x_RD, 1) / dim + EPS, BITS)
    tl.store(scale_ptr + row_R, scale_R, mask=inside_R)
    weight_D = tl.load(weight_ptr + channel_D, mask=inside_D, other=0.0).to(wide)
    y_RD = x_RD * scale_R[:, None] * weight_D[None, :]
    tl.store(y_ptr + to_RD, y_RD.to(y_ptr.dtype.element_ty), mask=inside_RD)


@triton.jit
def rms_norm_backward(
    x_ptr,
    weight_ptr,
    scale_ptr,
    dy_ptr,
    dsum_ptr,
    dx_ptr,
    partial_ptr,
    num_rows,
    dim,
    num_steps,
    x_stride,
    dy_stride,
    dsum_stride,
    ADD: tl.constexpr,
    WEIGHT: tl.constexpr,
    ROWS: tl.constexpr,
    DIM: tl.constexpr,
    BITS: tl.constexpr,
):
    """Slopes ``dx`` of a norm's input, ``dsum`` added if ADD; partial slopes of the weight."""
    wide: tl.constexpr = tl.float64 if BITS == 64 else tl.float32
    channel_D = tl.arange(0, DIM)
    inside_D = channel_D < dim
    weight_D = tl.load(weight_ptr + channel_D, mask=inside_D, other=0.0).to(wide)
    partial_D = tl.zeros([DIM], wide)
    first = tl.program_id(0).to(tl.int64) * num_steps * ROWS
    for step in range(num_steps):
        row_R = first + step * ROWS + tl.arange(0, ROWS)
        inside_R = row_R < num_rows
        inside_RD = inside_R[:, None] & inside_D[None, :]
        at_RD = row_R[:, None] * x_stride + channel_D[None, :]
        dy_at_RD = row_R[:, None] * dy_stride + channel_D[None, :]
        x_RD = tl.load(x_ptr + at_RD, mask=inside_RD, other=0.0).to(wide)
        dy_RD = tl.load(dy_ptr + dy_at_RD, mask=inside_RD, other=0.0).to(wide)
        scale_R = tl.load(scale_ptr + row_R, mask=inside_R, other=0.0)
        unit_RD = x_RD * scale_R[:, None]
        slope_RD = dy_RD * weight_D[None, :]
        along_R = tl.sum(slope_RD * unit_RD, 1) / dim
        dx_RD = scale_R[:, None] * (slope_RD - unit_RD * along_R[:, None])
        if ADD:
            dsum_at_RD = row_R[:, None] * dsum_stride + channel_D[None, :]
            dx_RD += tl.load(dsum_ptr + dsum_at_RD, mask=inside_RD, other=0.0).to(wide)
        to_RD = row_R[:, None] * dim + channel_D[None, :]
        tl.store(dx_ptr + to_RD, dx_RD.to(dx_ptr.dtype.element_ty), mask=inside_RD)
        if WEIGHT:
            partial_D += tl.sum(dy_RD * unit_RD, 0)
    if WEIGHT:
        to_D = tl.program_id(0) * dim + channel_D
        tl.store(partial_ptr + to_D, partial_D, mask=inside_D)
