"""SwiGLU's product on Triton: read from the fused product's buffer, and not kept for the backward.

In bf16 it is rounded once; the formula in torch rounds the activation as well.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from plm_components.kernels.swiglu import triton_kernels
from plm_components.kernels.triton_device import (
    blocks_of,
    launching_on,
    power_of_2,
    refuse_elsewhere,
)

# elements a program makes, and the longest run of channels among them
_TILE, _MOST_CHANNELS = 1024, 1024


def swiglu(gate_up: Tensor) -> Tensor:
    """``silu(gate) * up``, fp32 or wider until the last cast.

    Shapes:
        gate_up ``(..., 2 * ffn_dim)``, the gate first -> ``(..., ffn_dim)`` contiguous.

    Raises:
        UnsupportedError: no CUDA tensor, and no interpreter.
    """
    refuse_elsewhere("kernels.swiglu.triton", gate_up, instead="kernels=torch of the decoder block")
    if torch.is_grad_enabled() and gate_up.requires_grad:
        product: Tensor = _SwiGLU.apply(gate_up)
        return product
    return _forward(gate_up)


class _SwiGLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, gate_up: Tensor) -> Tensor:
        ctx.save_for_backward(gate_up)
        return _forward(gate_up)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> Tensor:
        (gate_up,) = ctx.saved_tensors
        return _backward(gate_up, dy)


def _forward(gate_up: Tensor) -> Tensor:
    rows = _rows(gate_up)
    product = gate_up.new_empty(*gate_up.shape[:-1], gate_up.shape[-1] // 2)
    if product.numel():
        programs, tile = _tile_of(product)
        with launching_on(gate_up):
            triton_kernels.swiglu[programs](
                rows, product, len(rows), product.shape[-1], rows.stride(0), **tile
            )
    return product


def _backward(gate_up: Tensor, dy: Tensor) -> Tensor:
    rows, slopes = _rows(gate_up), _rows(dy)
    dgate_up = torch.empty_like(gate_up, memory_format=torch.contiguous_format)
    if dy.numel():
        programs, tile = _tile_of(dy)
        with launching_on(gate_up):
            triton_kernels.swiglu_backward[programs](
                rows, slopes, dgate_up, *slopes.shape, rows.stride(0), slopes.stride(0), **tile
            )
    return dgate_up


def _rows(x: Tensor) -> Tensor:
    """``(..., channels)`` as ``(rows, channels)``, channels beside one another."""
    rows_RC = x.reshape(-1, x.shape[-1]) if x.numel() else x.new_empty(0, x.shape[-1])
    return rows_RC if rows_RC.stride(1) == 1 else rows_RC.contiguous()


def _tile_of(product: Tensor) -> tuple[tuple[int], dict[str, int]]:
    ffn_dim = product.shape[-1]
    channels = min(power_of_2(ffn_dim), _MOST_CHANNELS)
    rows = _TILE // channels
    programs = blocks_of(product.numel() // ffn_dim, rows) * blocks_of(ffn_dim, channels)
    return (programs,), {"ROWS": rows, "CHANNELS": channels, "BITS": 8 * product.element_size()}
