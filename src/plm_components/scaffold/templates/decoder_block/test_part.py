"""What this block does beyond its contract."""

from __future__ import annotations

import pytest
import torch
from plm_components.contracts import Causal
from plm_components.errors import ContractError
from plm_components.kernels.attention.eager import EagerAttention
from torch.nn.functional import gelu, scaled_dot_product_attention

from plm_my_part.my_part import MyPart as Part


def built(dim: int = 32) -> Part:
    part = Part(dim, 0, attention=EagerAttention(4, 2, dim // 4))
    part.init_weights(torch.Generator().manual_seed(0))
    return part


def test_it_is_what_the_paper_says() -> None:
    """Written out again over torch's own attention, at positions that turn nothing."""
    part, x = built().double(), torch.randn(2, 5, 32, dtype=torch.float64)
    still = (torch.ones(2, 5, 8), torch.zeros(2, 5, 8))
    y = x * (x.square().mean(-1, keepdim=True) + 1e-5).rsqrt()
    q, k, v = (
        project(y).unflatten(-1, (-1, 8)).transpose(1, 2)
        for project in (part.q_proj, part.k_proj, part.v_proj)
    )
    heads = scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
    attended = part.o_proj(heads.transpose(1, 2).flatten(2))
    want = x + attended + part.down_proj(gelu(part.up_proj(y)))
    torch.testing.assert_close(part(x, still, Causal()), want, atol=1e-6, rtol=1e-6)


def test_odd_heads_are_refused() -> None:
    with pytest.raises(ContractError, match="12 channels cannot be 4 heads"):
        built(12)
