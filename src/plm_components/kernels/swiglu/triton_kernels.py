"""Triton: SwiGLU's product, forward and backward, each in one pass.

After the elementwise pattern of Triton's tutorial 01.
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def _place(num_rows, ffn_dim, ROWS: tl.constexpr, CHANNELS: tl.constexpr):
    """Rows and channels of this program, and which of them there are."""
    across = tl.cdiv(ffn_dim, CHANNELS)
    row_R = (tl.program_id(0) // across * ROWS + tl.arange(0, ROWS)).to(tl.int64)
    channel_C = tl.program_id(0) % across * CHANNELS + tl.arange(0, CHANNELS)
    inside_RC = (row_R < num_rows)[:, None] & (channel_C < ffn_dim)[None, :]
    return row_R, channel_C, inside_RC


@triton.jit
def _sigmoids(x):
    """The logistic function of x and of -x; nothing overflows, nothing cancels."""
    shrink = tl.exp2(-1.4426950408889634 * tl.abs(x))
    large = 1.0 / (1.0 + shrink)
    small = shrink * large
    return tl.where(x > 0, large, small), tl.where(x > 0, small, large)


@triton.jit
def swiglu(
    gate_up_ptr,
    y_ptr,
    num_rows,
    ffn_dim,
    stride,
    ROWS: tl.constexpr,
    CHANNELS: tl.constexpr,
    BITS: tl.constexpr,
):
    """Products ``y (rows, ffn_dim)`` of ``gate_up (rows, 2 * ffn_dim)``."""
    wide: tl.constexpr = tl.float64 if BITS == 64 else tl.float32
    row_R, channel_C, inside_RC = _place(num_rows, ffn_dim, ROWS, CHANNELS)
    gate_ptr_RC = gate_up_ptr + row_R[:, None] * stride + channel_C[None, :]
    gate_RC = tl.load(gate_ptr_RC, mask=inside_RC, other=0.0).to(wide)
    up_RC = tl.load(gate_ptr_RC + ffn_dim, mask=inside_RC, other=0.0).to(wide)
    open_RC, _ = _sigmoids(gate_RC)
    y_RC = gate_RC * open_RC * up_RC
    to_RC = row_R[:, None] * ffn_dim + channel_C[None, :]
    tl.store(y_ptr + to_RC, y_RC.to(y_ptr.dtype.element_ty), mask=inside_RC)


@triton.jit
def swiglu_backward(
    gate_up_ptr,
    dy_ptr,
    dgate_up_ptr,
    num_rows,
    ffn_dim,
    stride,
    dy_stride,
    ROWS: tl.constexpr,
    CHANNELS: tl.constexpr,
    BITS: tl.constexpr,
):
    """Slopes ``dgate_up (rows, 2 * ffn_dim)``, contiguous; the activation is computed again."""
    wide: tl.constexpr = tl.float64 if BITS == 64 else tl.float32
    row_R, channel_C, inside_RC = _place(num_rows, ffn_dim, ROWS, CHANNELS)
    gate_ptr_RC = gate_up_ptr + row_R[:, None] * stride + channel_C[None, :]
    dy_at_RC = row_R[:, None] * dy_stride + channel_C[None, :]
    gate_RC = tl.load(gate_ptr_RC, mask=inside_RC, other=0.0).to(wide)
    up_RC = tl.load(gate_ptr_RC + ffn_dim, mask=inside_RC, other=0.0).to(wide)
    dy_RC = tl.load(dy_ptr + dy_at_RC, mask=inside_RC, other=0.0).to(wide)
    open_RC, closed_RC = _sigmoids(gate_RC)
    dgate_RC = dy_RC * up_RC * open_RC * (1.0 + gate_RC * closed_RC)
    dup_RC = dy_RC * gate_RC * open_RC
    to_ptr_RC = dgate_up_ptr + row_R[:, None] * (2 * ffn_dim) + channel_C[None, :]
    tl.store(to_ptr_RC, dgate_RC.to(dgate_up_ptr.dtype.element_ty), mask=inside_RC)
    tl.store(to_ptr_RC + ffn_dim, dup_RC.to(dgate_up_ptr.dtype.element_ty), mask=inside_RC)
