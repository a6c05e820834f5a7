"""What this kernel does beyond its contract."""

from __future__ import annotations

import pytest
import torch
from plm_components.contracts import Causal
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from plm_my_part.my_part import MyPart as Part


def call() -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    q = torch.randn(2, 4, 11, 8, generator=generator)
    k, v = torch.randn(2, 2, 2, 11, 8, generator=generator)
    return q, k, v


@pytest.mark.parametrize("chunk", [1, 4, 11, 128])
def test_chunks_do_not_show(chunk: int) -> None:
    q, k, v = call()
    want = scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
    kernel = Part(4, 2, 8, chunk=chunk)
    torch.testing.assert_close(kernel(q, k, v, Causal()), want)
