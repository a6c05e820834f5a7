"""Merging beside pooling at PerceptionLM's widths: what choosing by content costs a tile.

``pytest benchmarks`` runs it once at a small shape; ``pytest benchmarks --benchmark-enable
--benchmark-only`` times it at the shapes of the models.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch

from plm_components.contracts import Grid
from plm_components.kernels.pooling.mean import MeanPooling
from plm_components.projectors.avg_pool_mlp import AvgPoolMLPProjector
from plm_components.testing.oracles import budget_fault
from plm_tome.tome import ToMeProjector

# in_dim, out_dim, side of the grid
SMALL, SHAPES = [(24, 32, 6)], [(1024, 2048, 32), (1024, 3072, 32)]
PARTS = {
    "avg_pool_mlp": lambda *dims: AvgPoolMLPProjector(*dims, pooling=MeanPooling()),
    "tome, rounds of a quarter": lambda *dims: ToMeProjector(*dims),
    "tome, rounds of a half": lambda *dims: ToMeProjector(*dims, round_share=0.5),
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    smoke = metafunc.config.getoption("benchmark_disable")
    metafunc.parametrize("shape", SMALL if smoke else SHAPES, ids=str)


@pytest.mark.parametrize("name", PARTS)
def test_forward(benchmark: Any, shape: tuple[int, int, int], name: str) -> None:
    in_dim, out_dim, side = shape
    part, grid = PARTS[name](in_dim, out_dim), Grid(side, side)
    part.init_weights(torch.Generator().manual_seed(0))
    x = torch.randn(1, side**2, in_dim, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        # no wrong answer gets a time: the same decisions in float64
        exact = part.double()(x.double(), grid)
        plain = part.float()(x, grid)
        fault = budget_fault(part(x, grid), exact, plain)
        assert fault is None, fault
        benchmark.group = f"projector forward, a {grid} tile, {in_dim} to {out_dim}"
        benchmark(lambda: part(x, grid))
