"""Pooling kernels between the projector's two layers, at PerceptionLM-1B's width."""

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
from plm_components.testing.oracles import plain_pooling, pooling_oracle
from plm_components.zoo import Entry, default_zoo

ENTRIES = default_zoo().entries("pooling")
ORACLE = "pooling/adaptive"
WINDOW = 2


@dataclass(frozen=True)
class Shape:
    """One request.

    Args:
        tiles: Tiles in the batch.
        side: Tokens along a side of the grid.
        channels: Of a token.
        activation: Before the mean.
        dtype: Of the tokens.
    """

    tiles: int
    side: int
    channels: int
    activation: str
    dtype: torch.dtype

    def __str__(self) -> str:
        dtype = str(self.dtype).removeprefix("torch.")
        size = f"{self.tiles}x{self.side}x{self.side}x{self.channels}"
        return f"{size}-{self.activation}-{dtype}"


def _shapes(*sizes: tuple[int, int, int]) -> list[Shape]:
    dtypes, activations = (torch.float32, torch.bfloat16), ("none", "gelu")
    return [Shape(*size, act, dtype) for size in sizes for act in activations for dtype in dtypes]


SHAPES = _shapes((1, 32, 2048), (8, 32, 2048))
SMALL = _shapes((2, 4, 16))


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.address)
def test_pooling(benchmark: Any, ledger: Ledger, shape: Shape, entry: Entry) -> None:
    if entry.status == "unavailable":
        pytest.skip(f"{entry.address} is unavailable: it {entry.reason}")
    kernel, x, grid = entry.load()(), _tokens(shape), Grid(shape.side, shape.side)
    exact, plain = _answers(shape)
    error = gate(entry.address, kernel(x, grid, WINDOW, shape.activation), exact, plain)
    ledger.time(
        benchmark,
        lambda: kernel(x, grid, WINDOW, shape.activation),
        group=f"pooling {shape}",
        part=entry.address,
        error=error,
        is_oracle=entry.address == ORACLE,
    )


@lru_cache(maxsize=1)
def _tokens(shape: Shape) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(shape.tiles, shape.side**2, shape.channels, generator=generator)
    return x.to(shape.dtype)


@lru_cache(maxsize=1)
def _answers(shape: Shape) -> tuple[Tensor, Tensor]:
    x, grid = _tokens(shape), Grid(shape.side, shape.side)
    exact = pooling_oracle(x, grid, WINDOW, shape.activation)
    return exact, plain_pooling(x, grid, WINDOW, shape.activation)
