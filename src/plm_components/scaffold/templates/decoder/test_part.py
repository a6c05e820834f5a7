"""What this decoder does beyond its contract."""

from __future__ import annotations

import pytest
import torch
from plm_components.contracts import Causal
from plm_components.decoder_blocks.prenorm_gqa_swiglu import PrenormGQASwiGLUBlock
from plm_components.errors import SpecError
from plm_components.kernels.attention.eager import EagerAttention
from torch import Tensor

from plm_my_part.my_part import MyPart as Part


def block(index: int) -> PrenormGQASwiGLUBlock:
    attention = EagerAttention(2, 1, 8)
    return PrenormGQASwiGLUBlock(
        16, index, num_heads=2, num_kv_heads=1, ffn_dim=24, attention=attention
    )


def built(softcap: float = 30.0) -> Part:
    part = Part(block=block, dim=16, vocab_size=19, softcap=softcap)
    part.init_weights(torch.Generator().manual_seed(0))
    return part.eval()


def hidden_states(part: Part, ids_BL: Tensor) -> Tensor:
    positions_BL = torch.arange(ids_BL.shape[1]).expand_as(ids_BL)
    hidden_BLD: Tensor = part(part.embed(ids_BL), positions_BL=positions_BL, mask=Causal())
    return hidden_BLD


def test_no_logit_passes_the_cap() -> None:
    part = built(softcap=0.5)
    logits_BLV = part.logits(1000 * hidden_states(part, torch.arange(12)[None]))
    assert logits_BLV.abs().max().item() == 0.5


def test_the_bend_keeps_the_order() -> None:
    part = built(softcap=2.0)
    hidden_BLD = hidden_states(part, torch.arange(12)[None])
    straight_BLV = hidden_BLD @ part.embed_tokens.weight.T
    assert torch.equal(part.logits(hidden_BLD).argmax(-1), straight_BLV.argmax(-1))


def test_a_decoder_that_says_nothing_is_refused() -> None:
    with pytest.raises(SpecError, match=r"softcap=0 says nothing"):
        built(softcap=0)
