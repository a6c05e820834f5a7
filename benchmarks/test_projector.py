"""PerceptionLM's projector pooled first and last: one function, half the arithmetic."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import torch
from compiled import compiled

from plm_components.bench.contenders import contenders
from plm_components.bench.operation import Operation
from plm_components.bench.operations import projector
from plm_components.contracts import Grid

# as published, and as it is by default
COMPILED = (
    "projector/avg_pool_mlp (order=pool_last, pooling=adaptive)",
    "projector/avg_pool_mlp (order=pool_first, pooling=mean)",
)
# channels of a vision token and of an embedding
WIDTHS = {"plm-1b": (1024, 2048), "plm-3b": (1024, 3072), "plm-8b": (1536, 4096)}


def operations(small: bool, device: torch.device) -> Iterator[Operation]:
    """A tile, and an image of 36."""
    widths = {"small": (24, 32)} if small else WIDTHS
    tiles, grid = ((2,), Grid(4, 6)) if small else ((1, 36), Grid(32, 32))
    dtypes = (torch.float32, torch.bfloat16)
    for backward, batch, dtype in product((False, True), tiles, dtypes):
        for model, (in_dim, out_dim) in widths.items():
            yield projector(
                f"projector/{model}",
                batch=batch,
                grid=grid,
                in_dim=in_dim,
                out_dim=out_dim,
                dtype=dtype,
                device=device,
                backward=backward,
            )


def test_projector(kernel_bench: Any, operation: Operation) -> None:
    everybody = contenders(operation)
    orders = [one for one in everybody if one.part in COMPILED]
    kernel_bench(operation, [*everybody, *map(compiled, orders)])
