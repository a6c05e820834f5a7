"""Beside Llama's block with as many weights, over a prompt."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from plm_components.contracts import Causal
from plm_components.decoder_blocks.prenorm_gqa_swiglu import PrenormGQASwiGLUBlock
from plm_components.kernels.attention.sdpa import SDPAAttention
from plm_components.kernels.rotary import HalfSplitRotary, RopeScaling

from plm_my_part.my_part import MyPart as Part

# dim, heads, key/value heads, positions
SMALL, LARGE = (48, 4, 2, 7), (768, 12, 4, 512)


@pytest.mark.parametrize("name", ["llama", "my_part"])
def test_forward(benchmark: Any, name: str) -> None:
    dim, heads, kv_heads, length = SMALL if benchmark.disabled else LARGE
    head_dim = dim // heads
    attention = SDPAAttention(heads, kv_heads, head_dim)
    sizes = {"num_heads": heads, "num_kv_heads": kv_heads}
    part: torch.nn.Module
    if name == "llama":
        part = PrenormGQASwiGLUBlock(dim, 0, attention=attention, ffn_dim=8 * dim // 3, **sizes)
    else:
        part = Part(dim, 0, attention=attention, **sizes)
    part.init_weights(torch.Generator().manual_seed(0))
    x = torch.randn(1, length, dim, generator=torch.Generator().manual_seed(1))
    rotary = HalfSplitRotary(head_dim, 1e4, RopeScaling(1.0, 1.0, 4.0, 8192))
    tables = rotary(torch.arange(length)[None])
    with torch.no_grad():
        # no wrong answer gets a time
        exact = part.double()(x.double(), tables, Causal()).float()
        got = part.float()(x, tables, Causal())
        torch.testing.assert_close(got, exact, atol=1e-3, rtol=1e-3)
        benchmark(lambda: part(x, tables, Causal()))
