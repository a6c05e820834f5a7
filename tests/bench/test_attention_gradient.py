"""The plain gradient is the gradient: as autograd has it where nothing is rounded."""

from __future__ import annotations

import pytest
import torch

from plm_components.bench.operations.attention_gradient import plain_with_gradient
from plm_components.contracts import Causal, CausalCached, Documents, Full, Mask
from plm_components.testing.oracles import attention_oracle, plain_attention

MASKS: list[Mask] = [
    Full(),
    Causal(),
    Documents(torch.tensor([0, 3, 9])),
    # a row that sees nothing, and two that do
    CausalCached(torch.tensor([-1, 2])),
]


def _gradients(function, mask, dtype):
    generator = torch.Generator().manual_seed(0)
    shapes = ((2, 4, 9, 8), (2, 2, 9, 8), (2, 2, 9, 8))
    inputs = [torch.randn(s, generator=generator).to(dtype).requires_grad_() for s in shapes]
    out = function(*inputs, mask)
    cotangent = torch.randn(out.shape, generator=generator).to(dtype)
    return (out, *torch.autograd.grad(out, inputs, cotangent))


@pytest.mark.parametrize("mask", MASKS, ids=lambda mask: type(mask).__name__)
def test_it_is_autograds_where_nothing_is_rounded(mask: Mask) -> None:
    ours = _gradients(plain_with_gradient, mask, torch.float32)
    theirs = _gradients(attention_oracle, mask, torch.float64)

    for got, wanted in zip(ours, theirs, strict=True):
        torch.testing.assert_close(got.double(), wanted, rtol=0, atol=2e-6)


def test_the_output_is_the_plain_kernels() -> None:
    ours = _gradients(plain_with_gradient, Causal(), torch.bfloat16)
    theirs = _gradients(plain_attention, Causal(), torch.bfloat16)

    assert torch.equal(ours[0], theirs[0])
    for got, wanted in zip(ours[1:], theirs[1:], strict=True):
        # the same to a rounding of the output, which is what differs
        assert (got - wanted).float().norm() <= 2**-7 * wanted.float().norm()
