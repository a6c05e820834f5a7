"""Rotary tables against transformers' own, and the dtype they keep."""

from __future__ import annotations

import pytest
import torch
from transformers import LlamaConfig
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding, apply_rotary_pos_emb

from plm_components.kernels.rotary import HalfSplitRotary, RopeScaling, apply_rotary


def theirs(factor: float, original: int = 8192) -> LlamaRotaryEmbedding:
    scaled = {
        "rope_type": "llama3",
        "factor": factor,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": original,
    }
    parameters = {"rope_type": "default"} if factor == 1 else scaled
    config = LlamaConfig(
        hidden_size=256,
        num_attention_heads=4,
        rope_parameters={"rope_theta": 500000.0, **parameters},
        max_position_embeddings=11520,
    )
    return LlamaRotaryEmbedding(config)


@pytest.mark.parametrize("factor", [1.0, 8.0, 32.0])
@pytest.mark.parametrize("original", [64, 8192])
def test_tables_equal_transformers_to_the_bit(factor: float, original: int) -> None:
    positions = torch.arange(11520)[None]
    cos, sin = HalfSplitRotary(64, 500000.0, RopeScaling(factor, 1.0, 4.0, original))(positions)
    their_cos, their_sin = theirs(factor, original)(torch.zeros(1), positions)
    assert torch.equal(cos, their_cos)
    assert torch.equal(sin, their_sin)


def test_rotation_equals_transformers() -> None:
    q, k = torch.randn(2, 4, 16, 64), torch.randn(2, 2, 16, 64)
    tables = HalfSplitRotary(64, 500000.0, RopeScaling())(torch.arange(16).expand(2, -1))
    their_q, their_k = apply_rotary_pos_emb(q, k, *tables)
    assert torch.equal(apply_rotary(q, tables), their_q)
    assert torch.equal(apply_rotary(k, tables), their_k)


def test_bf16_queries_are_turned_in_fp32() -> None:
    q = torch.randn(1, 2, 16, 64, dtype=torch.bfloat16)
    tables = HalfSplitRotary(64, 500000.0, RopeScaling())(torch.arange(16)[None])
    found = apply_rotary(q, tables)
    assert found.dtype == torch.bfloat16
    assert torch.equal(found, apply_rotary(q.float(), tables).bfloat16())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_frequencies_survive_a_cast_of_the_model(dtype: torch.dtype) -> None:
    rotary = HalfSplitRotary(64, 500000.0, RopeScaling(8.0))
    before = rotary.inv_freq.clone()
    rotary.to(dtype)
    assert rotary.inv_freq.dtype == torch.float32
    assert torch.equal(rotary.inv_freq, before)


def test_frequencies_come_back_from_meta() -> None:
    direct = HalfSplitRotary(64, 500000.0, RopeScaling(8.0))
    with torch.device("meta"):
        built = HalfSplitRotary(64, 500000.0, RopeScaling(8.0))
    assert built.inv_freq.is_meta
    built.to_empty(device="cpu")
    built.init_buffers()
    assert torch.equal(built.inv_freq, direct.inv_freq)
    assert not direct.state_dict()
