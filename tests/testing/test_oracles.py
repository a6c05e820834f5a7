"""The kit's own formulas, against torch's double-precision operators."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from plm_components.contracts import Causal, CausalCached, Documents, Full, Grid, Mask
from plm_components.testing.oracles import (
    attention_oracle,
    budget_fault,
    errors,
    plain_attention,
    plain_pooling,
    pooling_oracle,
)


def _noise(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize(
    "mask",
    [
        Full(),
        Causal(),
        Documents(torch.tensor([0, 3, 7])),
        CausalCached(torch.tensor([0, 0])),
    ],
    ids=lambda mask: type(mask).__name__,
)
@pytest.mark.parametrize("kv_heads", [4, 2, 1])
def test_attention_is_torchs_in_double_precision(mask: Mask, kv_heads: int) -> None:
    q, k, v = _noise(2, 4, 7, 6), _noise(2, kv_heads, 7, 6, seed=1), _noise(2, kv_heads, 7, 6)
    allowed = mask.allowed(7, 7, device=torch.device("cpu"))[:, None]
    want = F.scaled_dot_product_attention(q, k, v, attn_mask=allowed, enable_gqa=True)
    torch.testing.assert_close(attention_oracle(q, k, v, mask), want, rtol=1e-12, atol=1e-12)


def test_a_query_without_keys_gets_zeros() -> None:
    mask = CausalCached(torch.tensor([-1]))
    out = attention_oracle(_noise(1, 2, 1, 4), _noise(1, 2, 3, 4), _noise(1, 2, 3, 4), mask)
    assert torch.equal(out, torch.zeros_like(out))


@pytest.mark.parametrize("activation", ["none", "gelu"])
def test_pooling_is_the_mean_of_windows(activation: str) -> None:
    x = _noise(2, 24, 5)
    image = (F.gelu(x) if activation == "gelu" else x).transpose(1, 2).unflatten(2, (4, 6))
    want = F.avg_pool2d(image, 2).flatten(2).transpose(1, 2)
    got = pooling_oracle(x, Grid(4, 6), 2, activation)
    torch.testing.assert_close(got, want, rtol=1e-12, atol=1e-12)


def test_plain_kernels_keep_the_dtype() -> None:
    q = _noise(1, 2, 5, 8).bfloat16()
    assert plain_attention(q, q, q, Full()).dtype == torch.bfloat16
    assert plain_pooling(q[0, :, :4], Grid(2, 2), 2).dtype == torch.bfloat16


def test_the_plain_kernel_is_within_its_own_budget() -> None:
    q = _noise(2, 4, 19, 8)
    exact, plain = attention_oracle(q, q, q, Full()), plain_attention(*[q.bfloat16()] * 3, Full())
    assert budget_fault(plain, exact, plain) is None


@pytest.mark.parametrize(
    ("spoil", "fault"),
    [
        (lambda x: x[..., :-1], "shape (2, 4, 19, 7), not (2, 4, 19, 8)"),
        (lambda x: x.where(x < x.max(), torch.nan), "a value is not finite"),
        (lambda x: x.where(x < x.max(), 0.0), "largest error"),
        (lambda x: x + 0.002, "RMS error"),
        (lambda x: x.roll(1, 2), "largest error"),
    ],
)
def test_what_is_beyond_the_budget_is_said(spoil: object, fault: str) -> None:
    q = _noise(2, 4, 19, 8).float()
    exact, plain = attention_oracle(q, q, q, Full()), plain_attention(q, q, q, Full())
    # a plain kernel with one bad value: its largest error forgives much, its RMS error does not
    plain = plain + torch.zeros_like(plain).index_put((torch.tensor(0),) * 4, torch.tensor(0.01))
    found = budget_fault(spoil(plain), exact, plain)  # type: ignore[operator]
    assert found is not None
    assert fault in found


def test_errors_of_a_known_difference() -> None:
    found = errors(torch.tensor([1.0, 2.0, 3.0, 6.0]), torch.tensor([1.0, 2.0, 3.0, 4.0]))
    assert found.largest == 2.0
    assert found.rms == 1.0
    assert found.correlation == pytest.approx(0.9562, abs=1e-4)
