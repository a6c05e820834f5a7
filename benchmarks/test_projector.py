"""PerceptionLM's projector pooled first and last: one function, half the arithmetic."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import pytest
import torch
from bench_gate import gate
from bench_ledger import Ledger
from torch import Tensor

from plm_components.contracts import Grid
from plm_components.kernels.pooling.mean import MeanPooling
from plm_components.projectors.avg_pool_mlp import AvgPoolMLPProjector

# as published
ORACLE = "pool_last"
ORDERS = ("pool_last", "pool_first")


@dataclass(frozen=True)
class Shape:
    """One request.

    Args:
        model: Whose widths these are.
        in_dim: Channels of a vision token.
        out_dim: Channels of an embedding.
        side: Tokens along a side of the grid.
        tiles: Tiles in the batch.
        dtype: Of weights and tokens.
    """

    model: str
    in_dim: int
    out_dim: int
    side: int
    tiles: int
    dtype: torch.dtype

    @property
    def grid(self) -> Grid:
        """Of a tile."""
        return Grid(self.side, self.side)

    def __str__(self) -> str:
        return f"{self.model}-{self.tiles}tile-{str(self.dtype).removeprefix('torch.')}"


def _shapes(*rows: tuple[Any, ...]) -> list[Shape]:
    return [Shape(*row, dtype) for dtype in (torch.float32, torch.bfloat16) for row in rows]


SHAPES = _shapes(("plm-1b", 1024, 2048, 32, 1), ("plm-3b", 1024, 3072, 32, 1))
SMALL = _shapes(("small", 24, 32, 4, 2))


@pytest.mark.parametrize("order", ORDERS)
def test_forward(benchmark: Any, ledger: Ledger, shape: Shape, order: Any) -> None:
    part, x = _projector(shape, order), _tokens(shape)
    exact, plain = _answers(shape)
    error = gate(order, part(x, shape.grid), exact, plain)
    ledger.time(
        benchmark,
        lambda: part(x, shape.grid),
        group=f"projector forward {shape}",
        part=order,
        error=error,
        is_oracle=order == ORACLE,
    )


@pytest.mark.parametrize("order", ORDERS)
def test_forward_and_backward(benchmark: Any, ledger: Ledger, shape: Shape, order: Any) -> None:
    part, x = _projector(shape, order), _tokens(shape)
    exact = _weight_gradient(_projector(shape, ORACLE, torch.float64), x.double(), shape)
    plain = _weight_gradient(_projector(shape, ORACLE), x, shape)
    error = gate(order, _weight_gradient(part, x, shape), exact, plain)
    ledger.time(
        benchmark,
        lambda: _weight_gradient(part, x, shape),
        group=f"projector forward and backward {shape}",
        part=order,
        error=error,
        is_oracle=order == ORACLE,
    )


def _weight_gradient(part: Any, x: Tensor, shape: Shape) -> Tensor:
    """Of the first layer, behind everything; all gradients are computed."""
    part.zero_grad()
    with torch.enable_grad():
        part(x, shape.grid).square().sum().backward()
    gradient: Tensor = part.linear_1.weight.grad
    return gradient


def _projector(shape: Shape, order: Any, dtype: torch.dtype | None = None) -> AvgPoolMLPProjector:
    part = AvgPoolMLPProjector(shape.in_dim, shape.out_dim, order=order, pooling=MeanPooling())
    part.init_weights(torch.Generator().manual_seed(0))
    # float64 gets the rounded weights, so that only arithmetic differs
    return part.to(shape.dtype).to(dtype or shape.dtype)


@lru_cache(maxsize=1)
def _tokens(shape: Shape) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    tokens = torch.randn(shape.tiles, shape.side**2, shape.in_dim, generator=generator)
    return tokens.to(shape.dtype)


@lru_cache(maxsize=1)
def _answers(shape: Shape) -> tuple[Tensor, Tensor]:
    x = _tokens(shape)
    exact = _projector(shape, ORACLE, torch.float64)(x.double(), shape.grid)
    return exact, _projector(shape, ORACLE)(x, shape.grid)
