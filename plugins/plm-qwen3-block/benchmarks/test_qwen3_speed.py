"""What QK-norm costs: this block beside Llama's at Qwen3-0.6B's sizes, a prompt and a token.

``pytest benchmarks`` runs it once at a small shape; ``pytest benchmarks --benchmark-enable
--benchmark-only`` times it at the model's.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch

from plm_components.contracts import Causal
from plm_components.decoder_blocks.prenorm_gqa_swiglu import PrenormGQASwiGLUBlock
from plm_components.kernels.attention.eager import EagerAttention
from plm_components.kernels.attention.sdpa import SDPAAttention
from plm_components.kernels.rotary import HalfSplitRotary, RopeScaling
from plm_components.testing.oracles import budget_fault
from plm_qwen3_block.qwen3 import Qwen3Block

# dim, heads, key/value heads, head_dim, ffn_dim, positions
SMALL = [(64, 4, 2, 24, 96, 7)]
SHAPES = [(1024, 16, 8, 128, 3072, 1024), (1024, 16, 8, 128, 3072, 1)]
BLOCKS = {"prenorm_gqa_swiglu": PrenormGQASwiGLUBlock, "qwen3": Qwen3Block}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    smoke = metafunc.config.getoption("benchmark_disable")
    metafunc.parametrize("shape", SMALL if smoke else SHAPES, ids=str)


@pytest.mark.parametrize("name", BLOCKS)
def test_forward(benchmark: Any, shape: tuple[int, ...], name: str) -> None:
    dim, heads, kv_heads, head_dim, ffn_dim, length = shape

    def block(attention: type[Any]) -> Any:
        part = BLOCKS[name](
            dim,
            0,
            num_heads=heads,
            num_kv_heads=kv_heads,
            ffn_dim=ffn_dim,
            head_dim=head_dim,
            attention=attention(heads, kv_heads, head_dim),
        )
        part.init_weights(torch.Generator().manual_seed(0))
        return part

    x = torch.randn(1, length, dim, generator=torch.Generator().manual_seed(1))
    rotary = HalfSplitRotary(head_dim, 1e6, RopeScaling(1.0, 1.0, 4.0, 8192))
    tables, part = rotary(torch.arange(length)[None]), block(SDPAAttention)
    with torch.no_grad():
        # no wrong answer gets a time: within twice the eager kernel's error against float64
        exact = block(EagerAttention).double()(x.double(), tables, Causal())
        plain = block(EagerAttention)(x, tables, Causal())
        fault = budget_fault(part(x, tables, Causal()), exact, plain)
        assert fault is None, fault
        benchmark.group = f"block forward, {length} positions of {dim}"
        benchmark(lambda: part(x, tables, Causal()))
