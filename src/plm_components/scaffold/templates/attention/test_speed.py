"""Beside the plain kernel and torch's own, causal, over a prompt."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from plm_components.bench.contenders import contenders
from plm_components.bench.operations import attention
from plm_components.contracts import Causal

PARTS = ("attention/eager", "attention/sdpa", "attention/my_part")
# heads, key/value heads, head_dim, positions
SMALL, LARGE = (4, 2, 8, 9), (16, 8, 64, 1024)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_causal(kernel_bench: Any, dtype: torch.dtype) -> None:
    heads, kv_heads, head_dim, length = SMALL if kernel_bench.disabled else LARGE
    operation = attention(
        "attention/prefill",
        batch=1,
        num_heads=heads,
        num_kv_heads=kv_heads,
        head_dim=head_dim,
        num_queries=length,
        num_keys=length,
        mask=Causal(),
        dtype=dtype,
        device="cuda" if torch.cuda.is_available() else "cpu",
    )
    # no wrong answer gets a time: each is held to float64 before, and a timed round after
    kernel_bench(operation, [one for one in contenders(operation) if one.part in PARTS])
