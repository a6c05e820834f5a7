"""RMSNorm on Triton against torch's in float64, with the residual's addition and without."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn.functional import rms_norm as torchs_norm

from kernel_exactness import assert_exact, wide
from plm_components.errors import UnsupportedError
from plm_components.kernels.norms import add_rms_norm as plain_add_rms_norm
from plm_components.kernels.norms.triton import add_rms_norm, rms_norm

EPS = 1e-5
DTYPES = [torch.float32, torch.bfloat16, torch.float16]
# one channel, odd widths, one above a program's tile; one row, many
SHAPES = [(3, 1), (2, 5, 33), (1, 1, 64), (70, 24), (2, 2100)]


def norm(x: Tensor, weight: Tensor) -> Tensor:
    return rms_norm(x, weight, EPS)


def torchs(x: Tensor, weight: Tensor) -> Tensor:
    return torchs_norm(x, x.shape[-1:], weight, EPS)


def added(x: Tensor, delta: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    return add_rms_norm(x, delta, weight, EPS)


def torchs_added(x: Tensor, delta: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    return x + delta, torchs(x + delta, weight)


def plain_added(x: Tensor, delta: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    return plain_add_rms_norm(x, delta, weight, EPS)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_outputs_and_gradients(kernel_device, shape, dtype) -> None:
    x = wide(*shape, dtype=dtype, device=kernel_device)
    delta = wide(*shape, dtype=dtype, device=kernel_device, seed=1)
    weight = 1 + torch.randn(shape[-1], generator=torch.Generator().manual_seed(2)) / 4
    weight = weight.to(kernel_device, dtype)
    assert_exact(norm, torchs, [x, weight])
    assert_exact(added, torchs_added, [x, delta, weight], plain=plain_added)


def test_rows_of_every_size(kernel_device) -> None:
    x = torch.randn(9, 40, generator=torch.Generator().manual_seed(0)).to(kernel_device)
    sizes = torch.tensor([0, 1e-20, 1e-8, 1e-3, 1, 1e3, 1e8, 1e15, 1e18], device=kernel_device)
    weight = torch.linspace(-2, 2, 40, device=kernel_device)
    x = x * sizes[:, None]
    found, exact = norm(x, weight), torchs(x.double(), weight.double())
    torch.testing.assert_close(found.double(), exact, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("dtypes", [(torch.float32, torch.float16), (torch.float16, torch.float32)])
def test_dtypes_are_promoted_as_in_torch(kernel_device, dtypes) -> None:
    # a residual in fp32 beside products in half precision, as under autocast
    x, delta = (
        wide(3, 8, dtype=dtype, device=kernel_device, seed=seed).requires_grad_()
        for seed, dtype in enumerate(dtypes)
    )
    weight = torch.ones(8, device=kernel_device)
    for found, expected in zip(added(x, delta, weight), plain_added(x, delta, weight), strict=True):
        assert found.dtype == expected.dtype
        torch.testing.assert_close(found, expected)
    slopes = torch.autograd.grad(added(x, delta, weight)[1].square().sum(), [x, delta])
    assert tuple(slope.dtype for slope in slopes) == dtypes


def test_float64_is_computed_in_float64(kernel_device) -> None:
    x, delta = (
        wide(2, 7, dtype=torch.float64, device=kernel_device, seed=seed).requires_grad_()
        for seed in (0, 1)
    )
    weight = torch.ones(7, dtype=torch.float64, device=kernel_device, requires_grad=True)
    assert torch.autograd.gradcheck(added, (x, delta, weight), fast_mode=True)


def test_strides(kernel_device) -> None:
    weight = torch.ones(8, device=kernel_device)
    cut = wide(3, 4, 16, dtype=torch.float32, device=kernel_device)[:, 1:, :8]
    crossed = wide(8, 5, dtype=torch.float32, device=kernel_device).mT
    same = wide(1, 8, dtype=torch.float32, device=kernel_device).expand(4, 8)
    for x in (cut, crossed, same):
        assert_exact(norm, torchs, [x, weight])
        assert_exact(added, torchs_added, [x, x.flip(0), weight])


def test_the_weights_gradient_has_the_same_bits_every_time(kernel_device) -> None:
    # many more rows than programs share, so that the order of the sum could differ
    x = wide(20_000, 3, dtype=torch.bfloat16, device=kernel_device)
    weight = torch.ones(3, dtype=torch.bfloat16, device=kernel_device, requires_grad=True)

    def slope() -> Tensor:
        return torch.autograd.grad(norm(x, weight).float().square().sum(), weight)[0]

    assert torch.equal(slope(), slope())


def test_a_frozen_weight_costs_nothing(kernel_device) -> None:
    x = wide(4, 6, dtype=torch.float32, device=kernel_device).requires_grad_()
    weight = torch.ones(6, device=kernel_device)
    (found,) = torch.autograd.grad(norm(x, weight).square().sum(), x)
    (expected,) = torch.autograd.grad(torchs(x, weight).square().sum(), x)
    torch.testing.assert_close(found, expected)


def test_no_row_gives_no_row(kernel_device) -> None:
    x = torch.zeros(0, 6, device=kernel_device, requires_grad=True)
    weight = torch.ones(6, device=kernel_device, requires_grad=True)
    norm(x, weight).sum().backward()
    assert weight.grad is not None
    assert weight.grad.tolist() == [0] * 6


def test_rows_that_no_program_holds_are_refused(kernel_device) -> None:
    with pytest.raises(UnsupportedError) as caught:
        norm(torch.zeros(1, 65_537, device=kernel_device), torch.zeros(65_537).to(kernel_device))
    assert str(caught.value) == (
        "A norm over 65537 channels does not fit into one program.\n"
        "  where:    kernels.norms.triton\n"
        "  expected: at most 65536 channels\n"
        "  fix:      set kernels=torch of the decoder block"
    )
