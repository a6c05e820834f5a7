"""RMSNorm against torch's in float64, and its order of rounding in bf16."""

from __future__ import annotations

import torch
from torch.nn.functional import rms_norm
from transformers.models.llama.modeling_llama import LlamaRMSNorm

from plm_components.kernels.norms import RMSNorm


def norm_with_weight() -> RMSNorm:
    norm = RMSNorm(48, eps=1e-5)
    with torch.no_grad():
        norm.weight.copy_(torch.randn(48, generator=torch.Generator().manual_seed(0)))
    return norm


def test_equals_torch_in_float64() -> None:
    norm, x = norm_with_weight(), torch.randn(3, 5, 48) * 7
    exact = rms_norm(x.double(), (48,), norm.weight.double(), eps=1e-5)
    torch.testing.assert_close(norm(x).double(), exact, rtol=1e-6, atol=1e-6)


def test_bf16_is_rounded_once_and_so_closer_than_transformers() -> None:
    draws = torch.Generator().manual_seed(1)
    norm, x = norm_with_weight(), (torch.randn(200, 48, generator=draws) * 7).bfloat16()
    theirs = LlamaRMSNorm(48, eps=1e-5).to(torch.bfloat16)
    norm = norm.to(torch.bfloat16)
    theirs.load_state_dict(norm.state_dict())
    exact = rms_norm(x.double(), (48,), norm.weight.double(), eps=1e-5)
    # fp32 arithmetic moved 9 of 1.9 million numbers, all within 1e-7 of a tie; rounding twice
    # moves more than one in ten
    assert (norm(x) != exact.bfloat16()).double().mean() < 1e-3
    assert (theirs(x) != exact.bfloat16()).double().mean() > 0.1
    error = (norm(x).double() - exact).square().mean()
    assert error < (theirs(x).double() - exact).square().mean()
