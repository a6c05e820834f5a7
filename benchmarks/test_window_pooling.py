"""Pooling kernels between the projector's two layers, at PerceptionLM-1B's width."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import torch

from plm_components.bench.contenders import contenders
from plm_components.bench.operation import Operation
from plm_components.bench.operations import pooling
from plm_components.contracts import Grid


def operations(small: bool, device: torch.device) -> Iterator[Operation]:
    """A tile, and an image of 36."""
    tiles, grid, channels = ((2,), Grid(4, 6), 16) if small else ((1, 36), Grid(32, 32), 2048)
    dtypes = (torch.float32, torch.bfloat16)
    for activation, dtype, backward in product(("none", "gelu"), dtypes, (False, True)):
        for batch in tiles:
            yield pooling(
                f"pooling/{'mean' if activation == 'none' else 'gelu and mean'}",
                batch=batch,
                grid=grid,
                channels=channels,
                activation=activation,
                dtype=dtype,
                device=device,
                backward=backward,
            )


def test_pooling(kernel_bench: Any, operation: Operation) -> None:
    kernel_bench(operation, contenders(operation))
