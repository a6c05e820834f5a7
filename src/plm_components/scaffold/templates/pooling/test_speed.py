"""Beside the kernels that plm_components has, on one tile."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from plm_components.bench.contenders import contenders
from plm_components.bench.operations import pooling
from plm_components.contracts import Grid

PARTS = ("pooling/adaptive", "pooling/mean", "pooling/my_part")
# channels, side of the grid
SMALL, LARGE = (24, 6), (2048, 32)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_windows(kernel_bench: Any, dtype: torch.dtype) -> None:
    channels, side = SMALL if kernel_bench.disabled else LARGE
    operation = pooling(
        "pooling/gelu and mean",
        batch=1,
        grid=Grid(side, side),
        channels=channels,
        dtype=dtype,
        device="cuda" if torch.cuda.is_available() else "cpu",
    )
    # no wrong answer gets a time: each is held to float64 before, and a timed round after
    kernel_bench(operation, [one for one in contenders(operation) if one.part in PARTS])
