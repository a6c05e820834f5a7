"""Beside the kernels that plm_components has, on one tile."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from plm_components.contracts import Grid
from plm_components.kernels.pooling.adaptive import AdaptivePooling
from plm_components.kernels.pooling.mean import MeanPooling
from plm_components.testing.oracles import budget_fault, plain_pooling, pooling_oracle

from plm_my_part.my_part import MyPart

# channels, side of the grid
SMALL, LARGE = (24, 6), (2048, 32)


@pytest.mark.parametrize("kernel_class", [AdaptivePooling, MeanPooling, MyPart])
def test_windows(benchmark: Any, kernel_class: Any) -> None:
    channels, side = SMALL if benchmark.disabled else LARGE
    kernel, grid = kernel_class(), Grid(side, side)
    x = torch.randn(1, side**2, channels, generator=torch.Generator().manual_seed(0))
    # no wrong answer gets a time: within twice the plain kernel's error against float64
    exact, plain = pooling_oracle(x, grid, 2), plain_pooling(x, grid, 2)
    assert budget_fault(kernel(x, grid, 2), exact, plain) is None
    benchmark(lambda: kernel(x, grid, 2))
