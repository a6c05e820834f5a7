"""The gated resampler beside pooling and the perceiver resampler, at PerceptionLM-1B's widths.

``pytest benchmarks`` runs it once at a small shape; ``pytest benchmarks --benchmark-enable
--benchmark-only`` times it at the model's.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch

from plm_components.contracts import Grid
from plm_components.kernels.attention.eager import EagerAttention
from plm_components.kernels.attention.sdpa import SDPAAttention
from plm_components.kernels.pooling.mean import MeanPooling
from plm_components.projectors.avg_pool_mlp import AvgPoolMLPProjector
from plm_components.projectors.perceiver_resampler import PerceiverResamplerProjector
from plm_components.testing.oracles import budget_fault
from plm_gated_resampler.gated_resampler import GatedResamplerProjector

# in_dim, out_dim, side of the grid
SMALL, SHAPES = [(24, 32, 4)], [(1024, 2048, 32)]


def _gated(in_dim: int, out_dim: int, attention: type[Any]) -> GatedResamplerProjector:
    kernel = attention(8, 8, out_dim // 8)
    part = GatedResamplerProjector(in_dim, out_dim, num_heads=8, attention=kernel)
    part.init_weights(torch.Generator().manual_seed(0))
    for layer in part.layers:
        # closed gates would hide a wrong kernel
        torch.nn.init.ones_(layer.attention_gate)
        torch.nn.init.ones_(layer.ffn_gate)
    return part


PARTS = {
    "avg_pool_mlp": lambda *dims: AvgPoolMLPProjector(*dims, pooling=MeanPooling()),
    "perceiver_resampler, 256 queries": lambda *dims: PerceiverResamplerProjector(
        *dims, num_queries=256
    ),
    "gated_resampler": lambda *dims: _gated(*dims, SDPAAttention),
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    smoke = metafunc.config.getoption("benchmark_disable")
    metafunc.parametrize("shape", SMALL if smoke else SHAPES, ids=str)


@pytest.mark.parametrize("name", PARTS)
def test_forward(benchmark: Any, shape: tuple[int, int, int], name: str) -> None:
    in_dim, out_dim, side = shape
    part, grid = PARTS[name](in_dim, out_dim), Grid(side, side)
    x = torch.randn(1, side**2, in_dim, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        if name == "gated_resampler":
            # no wrong answer gets a time: within twice the eager kernel's error against float64
            exact = _gated(in_dim, out_dim, EagerAttention).double()(x.double(), grid)
            plain = _gated(in_dim, out_dim, EagerAttention)(x, grid)
            fault = budget_fault(part(x, grid), exact, plain)
            assert fault is None, fault
        benchmark.group = f"projector forward, a {grid} tile, {in_dim} to {out_dim}"
        benchmark(lambda: part(x, grid))
