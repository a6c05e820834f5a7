"""Beside the native Llama over the same blocks: a prompt, then its logits."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
from plm_components.contracts import Causal
from plm_components.decoder_blocks.prenorm_gqa_swiglu import PrenormGQASwiGLUBlock
from plm_components.decoders.llama import LlamaDecoder
from plm_components.kernels.attention.sdpa import SDPAAttention

from plm_my_part.my_part import MyPart as Part

# dim, heads, key/value heads, positions
SMALL, LARGE = (32, 4, 2, 7), (1024, 16, 8, 512)


def block(dim: int, heads: int, kv_heads: int, index: int) -> PrenormGQASwiGLUBlock:
    attention = SDPAAttention(heads, kv_heads, dim // heads)
    sizes = {"num_heads": heads, "num_kv_heads": kv_heads, "ffn_dim": 4 * dim}
    return PrenormGQASwiGLUBlock(dim, index, attention=attention, **sizes)


@pytest.mark.parametrize("decoder_class", [LlamaDecoder, Part])
def test_prompt(benchmark: Any, decoder_class: Any) -> None:
    dim, heads, kv_heads, length = SMALL if benchmark.disabled else LARGE
    part = decoder_class(
        block=partial(block, dim, heads, kv_heads),
        dim=dim,
        num_layers=2,
        vocab_size=512,
        max_positions=1024,
    )
    part.init_weights(torch.Generator().manual_seed(0))
    ids, positions = torch.arange(length)[None], torch.arange(length)[None]

    def run() -> torch.Tensor:
        hidden = part(part.embed(ids), positions_BL=positions, mask=Causal())
        return part.logits(hidden)

    with torch.no_grad():
        # no wrong answer gets a time
        exact = part.double() and run().float()
        part.float()
        torch.testing.assert_close(run(), exact, atol=1e-3, rtol=1e-3)
        benchmark(run)
