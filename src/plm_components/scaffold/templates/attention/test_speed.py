"""Beside the plain kernel and torch's own, causal, over a prompt."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from plm_components.contracts import Causal
from plm_components.kernels.attention.eager import EagerAttention
from plm_components.kernels.attention.sdpa import SDPAAttention
from plm_components.testing.oracles import attention_oracle, budget_fault, plain_attention

from plm_my_part.my_part import MyPart

# heads, key/value heads, head_dim, positions
SMALL, LARGE = (4, 2, 8, 9), (16, 8, 64, 1024)


@pytest.mark.parametrize("kernel_class", [EagerAttention, SDPAAttention, MyPart])
def test_causal(benchmark: Any, kernel_class: Any) -> None:
    heads, kv_heads, head_dim, length = SMALL if benchmark.disabled else LARGE
    generator = torch.Generator().manual_seed(0)
    q = torch.randn(1, heads, length, head_dim, generator=generator)
    k = torch.randn(1, kv_heads, length, head_dim, generator=generator)
    v = torch.randn(1, kv_heads, length, head_dim, generator=generator)
    kernel, mask = kernel_class(heads, kv_heads, head_dim), Causal()
    # no wrong answer gets a time: within twice the plain kernel's error against float64
    exact, plain = attention_oracle(q, k, v, mask), plain_attention(q, k, v, mask)
    assert budget_fault(kernel(q, k, v, mask), exact, plain) is None
    benchmark(lambda: kernel(q, k, v, mask))
