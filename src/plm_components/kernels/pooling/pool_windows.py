"""The Triton kernels of pooling as a function of tensors that has a gradient."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from plm_components.contracts import Grid
from plm_components.kernels.pooling.triton_kernels import pool, pool_backward
from plm_components.kernels.triton_device import blocks_of, launching_on, power_of_2

# elements a program makes, and the longest run of channels among them
_TILE, _MOST_CHANNELS = 2048, 1024


def pool_windows(tokens_BNC: Tensor, grid: Grid, window: int, *, gelu: bool) -> Tensor:
    """``(B, h*w, C)`` -> ``(B, (h/window)*(w/window), C)``; the sides must divide."""
    if torch.is_grad_enabled() and tokens_BNC.requires_grad:
        pooled_BMC: Tensor = _PoolWindows.apply(tokens_BNC, grid, window, gelu)
        return pooled_BMC
    return _forward(tokens_BNC, grid, window, gelu)


class _PoolWindows(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, tokens_BNC: Tensor, grid: Grid, window: int, gelu: bool) -> Tensor:
        # without an activation the gradient does not depend on the tokens
        ctx.save_for_backward(tokens_BNC if gelu else tokens_BNC.new_empty(0))
        ctx.shape, ctx.grid, ctx.window, ctx.gelu = tokens_BNC.shape, grid, window, gelu
        return _forward(tokens_BNC, grid, window, gelu)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope_BMC: Tensor) -> tuple[Tensor, None, None, None]:
        (tokens_BNC,) = ctx.saved_tensors
        return _backward(tokens_BNC, slope_BMC, ctx), None, None, None


def _forward(tokens_BNC: Tensor, grid: Grid, window: int, gelu: bool) -> Tensor:
    rows, channels = len(tokens_BNC), tokens_BNC.shape[2]
    pooled_BMC = tokens_BNC.new_empty(rows, grid.num_tokens // window**2, channels)
    if pooled_BMC.numel():
        with launching_on(tokens_BNC):
            pool[_programs(pooled_BMC)](
                tokens_BNC,
                pooled_BMC,
                *_extents(pooled_BMC, grid, window),
                *tokens_BNC.stride(),
                WINDOW=window,
                GELU=gelu,
                **_tile_of(pooled_BMC),
            )
    return pooled_BMC


def _backward(tokens_BNC: Tensor, slope_BMC: Tensor, ctx: Any) -> Tensor:
    slope_BNC = slope_BMC.new_empty(ctx.shape)
    if slope_BNC.numel():
        with launching_on(slope_BMC):
            pool_backward[_programs(slope_BMC)](
                tokens_BNC,
                slope_BMC,
                slope_BNC,
                *_extents(slope_BMC, ctx.grid, ctx.window),
                *(tokens_BNC.stride() if ctx.gelu else (0, 0, 0)),
                *slope_BMC.stride(),
                WINDOW=ctx.window,
                GELU=ctx.gelu,
                **_tile_of(slope_BMC),
            )
    return slope_BNC


def _extents(pooled_BMC: Tensor, grid: Grid, window: int) -> tuple[int, int, int, int, int]:
    rows, num_out, channels = pooled_BMC.shape
    return rows * num_out, num_out, channels, grid.w, grid.w // window


def _tile_of(pooled_BMC: Tensor) -> dict[str, int]:
    channels = min(power_of_2(pooled_BMC.shape[2]), _MOST_CHANNELS)
    bits = 8 * pooled_BMC.element_size()
    return {"ROWS": _TILE // channels, "CHANNELS": channels, "BITS": bits}


def _programs(pooled_BMC: Tensor) -> tuple[int]:
    tile = _tile_of(pooled_BMC)
    rows, num_out, channels = pooled_BMC.shape
    return (blocks_of(rows * num_out, tile["ROWS"]) * blocks_of(channels, tile["CHANNELS"]),)
