"""SwiGLU's product on Triton against the formula in float64."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn.functional import silu
from transformers.activations import ACT2FN

from kernel_exactness import assert_exact, wide
from plm_components.kernels.swiglu import swiglu as plain_swiglu
from plm_components.kernels.swiglu.triton import swiglu

DTYPES = [torch.float32, torch.bfloat16, torch.float16]
SHAPES = [(3, 2), (2, 5, 66), (70, 22), (1, 2, 2056)]


def formula(gate_up: Tensor) -> Tensor:
    """Transformers' ``act_fn(gate) * up``."""
    gate, up = gate_up.chunk(2, dim=-1)
    return ACT2FN["silu"](gate) * up


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_outputs_and_gradients(kernel_device, shape, dtype) -> None:
    gate_up = wide(*shape, dtype=dtype, device=kernel_device).clamp(-200, 200)
    assert_exact(swiglu, formula, [gate_up])
    assert_exact(plain_swiglu, formula, [gate_up], plain=formula)


def test_gates_of_every_size(kernel_device) -> None:
    sizes = torch.cat([torch.linspace(-80, 80, 641), 10.0 ** torch.linspace(-8, 18, 79)])
    gate = torch.cat([sizes, -sizes]).to(kernel_device)
    found = swiglu(torch.stack([gate, torch.ones_like(gate)], dim=-1)).flatten()
    exact = silu(gate.double())
    # relatively, as long as fp32 has the numbers; an exponent of 95 has an error of its own
    seen = exact.abs() > 1e-30
    assert ((found - exact).abs() / exact.abs())[seen].max() < 1e-5
    torch.testing.assert_close(found.double(), exact, rtol=1e-5, atol=1e-30)


def test_float64_is_computed_in_float64(kernel_device) -> None:
    gate_up = wide(2, 6, dtype=torch.float64, device=kernel_device).requires_grad_()
    assert torch.autograd.gradcheck(swiglu, gate_up, fast_mode=True)


def test_strides(kernel_device) -> None:
    cut = wide(3, 4, 18, dtype=torch.float32, device=kernel_device)[:, 1:, :12]
    crossed = wide(8, 5, dtype=torch.float32, device=kernel_device).mT
    same = wide(1, 8, dtype=torch.float32, device=kernel_device).expand(4, 8)
    for gate_up in (cut, crossed, same):
        assert_exact(swiglu, formula, [gate_up])


def test_no_row_gives_no_row(kernel_device) -> None:
    gate_up = torch.zeros(2, 0, 6, device=kernel_device, requires_grad=True)
    product = swiglu(gate_up)
    product.sum().backward()
    assert product.shape == (2, 0, 3)
    assert gate_up.grad is not None
