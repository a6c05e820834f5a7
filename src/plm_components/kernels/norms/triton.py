"""RMSNorm on Triton: the norm alone, and the residual's addition and the norm in one kernel."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from plm_components.errors import UnsupportedError
from plm_components.kernels.norms.triton_kernels import rms_norm as norm_rows
from plm_components.kernels.norms.triton_kernels import rms_norm_backward
from plm_components.kernels.triton_device import (
    blocks_of,
    launching_on,
    power_of_2,
    refuse_elsewhere,
)

_ADDRESS, _INSTEAD = "kernels.norms.triton", "kernels=torch of the decoder block"
# elements a program holds, unless one row is more; programs that share the weight's gradient: the
# same number on every GPU, so that all give the same bits
_TILE, _PROGRAMS = 2048, 256
# of fp32 in the registers of one program
MAX_DIM = 65_536


def rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """``weight * x / sqrt(mean(x^2) + eps)``, fp32 or wider until the last cast.

    Shapes:
        x ``(..., dim)``, weight ``(dim,)`` -> ``(..., dim)`` contiguous, in the dtype of x.

    Raises:
        UnsupportedError: no CUDA tensors (and no interpreter), or rows longer than ``MAX_DIM``.
    """
    _refuse(x, weight)
    if torch.is_grad_enabled() and (x.requires_grad or weight.requires_grad):
        normed: Tensor = _RMSNorm.apply(x, weight, eps)
        return normed
    return _forward(x, None, weight, eps)[1]


def add_rms_norm(x: Tensor, delta: Tensor, weight: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """``sum = x + delta``, rounded as torch would, and the norm of ``sum``.

    Shapes:
        x, delta ``(..., dim)``, weight ``(dim,)`` -> two of ``(..., dim)``, in the dtype of
        ``x + delta``.

    Raises:
        UnsupportedError: no CUDA tensors (and no interpreter), or rows longer than ``MAX_DIM``.
    """
    _refuse(x, delta, weight)
    if torch.is_grad_enabled() and any(one.requires_grad for one in (x, delta, weight)):
        total, normed = _AddRMSNorm.apply(x, delta, weight, eps)
        return total, normed
    return _forward(x, delta, weight, eps)[:2]


class _RMSNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        _, normed, scale = _forward(x, None, weight, eps)
        ctx.save_for_backward(x, weight, scale)
        return normed

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor, Tensor | None, None]:
        return *_backward(ctx.saved_tensors, dy, None, ctx.needs_input_grad[1]), None


class _AddRMSNorm(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, delta: Tensor, weight: Tensor, eps: float
    ) -> tuple[Tensor, Tensor]:
        total, normed, scale = _forward(x, delta, weight, eps)
        ctx.save_for_backward(total, weight, scale)
        return total, normed

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dsum: Tensor, dy: Tensor) -> tuple[Tensor, Tensor, Tensor | None, None]:
        dx, dweight = _backward(ctx.saved_tensors, dy, dsum, ctx.needs_input_grad[2])
        return dx, dx, dweight, None


def _forward(
    x: Tensor, delta: Tensor | None, weight: Tensor, eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    rows = _rows(x)
    added = rows if delta is None else _rows(delta)
    dtype = torch.promote_types(x.dtype, added.dtype)
    normed = torch.empty_like(x, dtype=dtype, memory_format=torch.contiguous_format)
    total = x if delta is None else torch.empty_like(normed)
    scale_R = rows.new_empty(len(rows), dtype=torch.promote_types(dtype, torch.float32))
    if x.numel():
        tile = _tile_of(normed)
        with launching_on(x):
            norm_rows[(blocks_of(len(rows), tile["ROWS"]),)](
                rows,
                added,
                weight,
                total,
                normed,
                scale_R,
                *rows.shape,
                eps,
                rows.stride(0),
                added.stride(0),
                ADD=delta is not None,
                **tile,
            )
    return total, normed, scale_R


def _backward(
    saved: tuple[Tensor, Tensor, Tensor], dy: Tensor, dsum: Tensor | None, wanted: bool
) -> tuple[Tensor, Tensor | None]:
    """Slopes of the input, and of the weight if it is wanted."""
    x, weight, scale_R = saved
    rows, slopes = _rows(x), _rows(dy)
    added = slopes if dsum is None else _rows(dsum)
    dx = torch.empty_like(x, memory_format=torch.contiguous_format)
    tile = _tile_of(x)
    num_steps = max(1, blocks_of(len(rows), tile["ROWS"] * _PROGRAMS))
    programs = blocks_of(len(rows), tile["ROWS"] * num_steps)
    partial_PD = scale_R.new_empty(programs if wanted else 0, rows.shape[1])
    if x.numel():
        with launching_on(x):
            rms_norm_backward[(programs,)](
                rows,
                weight,
                scale_R,
                slopes,
                added,
                dx,
                partial_PD,
                *rows.shape,
                num_steps,
                rows.stride(0),
                slopes.stride(0),
                added.stride(0),
                ADD=dsum is not None,
                WEIGHT=wanted,
                **tile,
            )
    return dx, partial_PD.sum(0).to(weight.dtype) if wanted else None


def _rows(x: Tensor) -> Tensor:
    """``(..., dim)`` as ``(rows, dim)``, channels beside one another."""
    rows_RD = x.reshape(-1, x.shape[-1]) if x.numel() else x.new_empty(0, x.shape[-1])
    return rows_RD if rows_RD.stride(1) == 1 else rows_RD.contiguous()


def _tile_of(x: Tensor) -> dict[str, int]:
    dim = power_of_2(x.shape[-1])
    rows = max(1, _TILE // dim)
    warps = min(16, max(4, dim // 512))
    return {"ROWS": rows, "DIM": dim, "BITS": 8 * x.element_size(), "num_warps": warps}


def _refuse(x: Tensor, *others: Tensor) -> None:
    refuse_elsewhere(_ADDRESS, x, *others, instead=_INSTEAD)
    if x.shape[-1] > MAX_DIM:
        raise UnsupportedError(
            f"A norm over {x.shape[-1]} channels does not fit into one program.",
            where=_ADDRESS,
            expected=f"at most {MAX_DIM} channels",
            fix=f"set {_INSTEAD}",
        )
