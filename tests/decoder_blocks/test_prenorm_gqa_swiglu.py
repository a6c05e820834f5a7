"""The plain block: what it refuses, and that its width and its heads are separate things."""

from __future__ import annotations

import pytest
import torch

from plm_components.contracts import Causal, DecoderBlock
from plm_components.decoder_blocks.prenorm_gqa_swiglu import PrenormGQASwiGLUBlock
from plm_components.errors import ContractError
from plm_components.kernels.attention.eager import EagerAttention


def block(dim: int = 24, *, num_heads: int = 4, head_dim: int | None = None) -> DecoderBlock:
    size = head_dim or dim // num_heads
    return PrenormGQASwiGLUBlock(
        dim,
        0,
        num_heads=num_heads,
        num_kv_heads=2,
        ffn_dim=20,
        head_dim=head_dim,
        attention=EagerAttention(num_heads, 2, size),
    )


@pytest.mark.parametrize(("head_dim", "expected"), [(None, 6), (10, 10)])
def test_heads_may_be_wider_than_the_model(head_dim: int | None, expected: int) -> None:
    part = block(head_dim=head_dim)
    assert isinstance(part, DecoderBlock)
    assert (part.head_dim, part.num_kv_heads) == (expected, 2)
    rotary = (torch.ones(2, 5, expected), torch.zeros(2, 5, expected))
    assert part.forward(torch.randn(2, 5, 24), rotary, Causal()).shape == (2, 5, 24)


@pytest.mark.parametrize(
    ("dim", "heads", "head_dim", "what"),
    [
        (12, 4, None, "dim=12 over 4 heads gives no even number of channels a head."),
        (25, 4, None, "dim=25 over 4 heads gives no even number of channels a head."),
        (24, 4, 7, "head_dim=7 gives no even number of channels a head."),
    ],
)
def test_odd_heads_are_refused(dim: int, heads: int, head_dim: int | None, what: str) -> None:
    with pytest.raises(ContractError) as caught:
        block(dim, num_heads=heads, head_dim=head_dim)
    assert caught.value.what == what
    assert caught.value.fix == "set num_heads to a divisor of dim, or head_dim to an even number"
