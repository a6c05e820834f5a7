"""The parts for CPUs at lengths where their blocks show, by the gate of their precision."""

from __future__ import annotations

import pytest
import torch
from attention_cases import inputs

from plm_components.contracts import Causal, CausalCached, Full, Mask
from plm_components.errors import UnsupportedError
from plm_components.kernels.attention.blocked_causal import BlockedCausalAttention
from plm_components.kernels.attention.grouped import GroupedAttention
from plm_components.kernels.attention.paired_heads import PairedHeadsAttention
from plm_components.testing.oracles import (
    attention_oracle,
    budget_fault,
    errors,
    plain_attention,
    score_rounding,
)

# blocks are of 128 queries: two whole ones and a rest; one query more than two
TRIED: list[tuple[type, int, int, Mask]] = [
    (BlockedCausalAttention, 300, 300, Causal()),
    (BlockedCausalAttention, 257, 257, Causal()),
    (PairedHeadsAttention, 70, 131, Full()),
    (GroupedAttention, 1, 400, CausalCached(torch.tensor([399, 270]))),
    (GroupedAttention, 1, 400, CausalCached(torch.tensor([399, 399]))),
    (GroupedAttention, 5, 400, CausalCached(torch.tensor([20, 395]))),
]


@pytest.mark.parametrize(("kernel", "queries", "keys", "mask"), TRIED)
@pytest.mark.parametrize(("heads", "kv_heads"), [(6, 6), (6, 3), (5, 1)])
def test_fp32_is_exact(
    kernel: type, queries: int, keys: int, mask: Mask, heads: int, kv_heads: int
) -> None:
    q, k, v = inputs(heads, kv_heads, queries, keys)
    found = kernel(heads, kv_heads, 8)(q, k, v, mask)
    exact, plain = attention_oracle(q, k, v, mask), plain_attention(q, k, v, mask)
    assert budget_fault(found, exact, plain, rounding=score_rounding(q, k)) is None


@pytest.mark.parametrize(("kernel", "queries", "keys", "mask"), TRIED)
def test_bf16_is_fast_and_no_worse(kernel: type, queries: int, keys: int, mask: Mask) -> None:
    assert kernel.support.precision == "fast"  # type: ignore[attr-defined]
    q, k, v = inputs(6, 3, queries, keys, torch.bfloat16)
    found = kernel(6, 3, 8)(q, k, v, mask)
    assert found.dtype == torch.bfloat16
    assert errors(found, attention_oracle(q, k, v, mask)).correlation > 0.9995


@pytest.mark.parametrize(("kernel", "queries", "keys", "mask"), TRIED)
@pytest.mark.parametrize("scale", [8.0, 64.0])
def test_bf16_stays_fast_where_scores_are_large(
    kernel: type, queries: int, keys: int, mask: Mask, scale: float
) -> None:
    # scores in the hundreds and thousands, which bf16 rounds by 1 and 8
    q, k, v = inputs(6, 3, queries, keys, torch.bfloat16)
    found = kernel(6, 3, 8)(q * scale, k, v, mask)
    assert errors(found, attention_oracle(q * scale, k, v, mask)).correlation > 0.9995


@pytest.mark.parametrize(("kernel", "queries", "keys", "mask"), TRIED)
def test_gradients_are_refused(kernel: type, queries: int, keys: int, mask: Mask) -> None:
    q, k, v = (tensor.requires_grad_() for tensor in inputs(6, 3, queries, keys))
    with pytest.raises(UnsupportedError, match="cannot do gradients on cpu") as caught:
        kernel(6, 3, 8)(q, k, v, mask)
    assert caught.value.expected == "backward on: no device"


@pytest.mark.parametrize(
    ("kernel", "mask", "can"),
    [
        (GroupedAttention, Causal(), "CausalCached"),
        (BlockedCausalAttention, Full(), "Causal"),
        (PairedHeadsAttention, Causal(), "Full"),
    ],
)
def test_a_mask_it_is_no_good_at_is_refused(kernel: type, mask: Mask, can: str) -> None:
    with pytest.raises(UnsupportedError, match=f"a {type(mask).__name__} mask") as caught:
        kernel(4, 2, 8)(*inputs(4, 2, 9, 9), mask)
    assert caught.value.expected == f"masks: {can}"


def test_half_precision_is_refused() -> None:
    # a score beyond 65504 would be infinite
    with pytest.raises(UnsupportedError, match=r"cannot do torch\.float16"):
        PairedHeadsAttention(4, 2, 8)(*inputs(4, 2, 9, 9, torch.float16), Full())
