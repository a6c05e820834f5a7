"""Beside a projector that keeps every token, on one tile."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from plm_components.contracts import Grid
from plm_components.projectors.linear import LinearProjector
from plm_components.testing.oracles import budget_fault

from plm_my_part.my_part import MyPart as Part

# in_dim, out_dim, side of the grid
SMALL, LARGE = (24, 32, 6), (1024, 2048, 32)


@pytest.mark.parametrize("part_class", [LinearProjector, Part])
def test_forward(benchmark: Any, part_class: Any) -> None:
    in_dim, out_dim, side = SMALL if benchmark.disabled else LARGE
    part, grid = part_class(in_dim, out_dim), Grid(side, side)
    part.init_weights(torch.Generator().manual_seed(0))
    x = torch.randn(1, side**2, in_dim, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        # no wrong answer gets a time: the same in float64, and a plain kernel's error allowed
        exact, plain = part.double()(x.double(), grid), part.float()(x, grid)
        assert budget_fault(part(x, grid), exact, plain) is None
        benchmark(lambda: part(x, grid))
