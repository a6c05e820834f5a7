"""Liger's block beside the plain one at Llama 3.2 1B's sizes, forward and backward; needs CUDA.

``pytest benchmarks --benchmark-enable --benchmark-only``. Where the part is unavailable the rows
say why. The plain block is the oracle of both.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch

from plm_components.contracts import Causal
from plm_components.kernels.attention.eager import EagerAttention
from plm_components.kernels.attention.sdpa import SDPAAttention
from plm_components.kernels.rotary import HalfSplitRotary, RopeScaling
from plm_components.testing.oracles import budget_fault
from plm_components.zoo import default_zoo

DIM, HEADS = 2048, {"num_heads": 32, "num_kv_heads": 8, "ffn_dim": 8192}
NAMES = ("prenorm_gqa_swiglu", "liger")


@pytest.mark.parametrize("backward", [False, True], ids=["forward", "forward and backward"])
@pytest.mark.parametrize("name", NAMES)
def test_block(benchmark: Any, name: str, backward: bool) -> None:
    entry = default_zoo().get("decoder_block", "liger")
    if entry.status == "unavailable" or not torch.cuda.is_available():
        pytest.skip(f"decoder_block/liger is unavailable: it {entry.reason}")
    x = torch.randn(1, 2048, DIM, generator=torch.Generator().manual_seed(1))
    x = x.to("cuda", torch.bfloat16)
    positions = torch.arange(2048, device="cuda")[None]
    tables = HalfSplitRotary(64, 5e5, RopeScaling()).to("cuda")(positions)
    part = _block(name, SDPAAttention)
    with torch.no_grad():
        # no wrong answer gets a time
        exact = _block(NAMES[0], EagerAttention).double()(x.double(), tables, Causal())
        plain = _block(NAMES[0], EagerAttention)(x, tables, Causal())
        fault = budget_fault(part(x, tables, Causal()), exact, plain)
    assert fault is None, fault

    def once() -> None:
        with torch.set_grad_enabled(backward):
            out = part(x, tables, Causal())
            if backward:
                out.float().sum().backward()
        torch.cuda.synchronize()

    benchmark.group = f"block, 2048 positions of {DIM}, bf16, backward: {backward}"
    benchmark(once)


def _block(name: str, attention: type[Any]) -> Any:
    cls = default_zoo().get("decoder_block", name).load()
    part = cls(DIM, 0, **HEADS, attention=attention(32, 8, 64))
    part.init_weights(torch.Generator().manual_seed(0))
    return part.to("cuda", torch.bfloat16)
