"""Both pooling kernels against float64 windows that are written out."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from plm_components.contracts import Grid, Pooling
from plm_components.errors import ShapeError, UnsupportedError
from plm_components.kernels.pooling.adaptive import AdaptivePooling
from plm_components.kernels.pooling.mean import MeanPooling

KERNELS = {"mean": MeanPooling, "adaptive": AdaptivePooling}
GRIDS = [(Grid(4, 4), 2), (Grid(6, 9), 3), (Grid(2, 10), 2), (Grid(5, 7), 1), (Grid(32, 32), 2)]
DTYPES = [torch.float64, torch.float32, torch.bfloat16, torch.float16]


@pytest.fixture(params=KERNELS)
def pooling(request):
    return KERNELS[request.param]()


def _wide(*shape: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    scale = torch.exp(2 * torch.randn(shape[-1], generator=generator, dtype=torch.float64))
    return (torch.randn(*shape, generator=generator, dtype=torch.float64) * scale).to(dtype)


def _written_out(tokens, grid, window, activation):
    x = F.gelu(tokens.double()) if activation == "gelu" else tokens.double()
    rows = []
    for top in range(0, grid.h, window):
        for left in range(0, grid.w, window):
            inside = [
                (top + dy) * grid.w + left + dx for dy in range(window) for dx in range(window)
            ]
            rows.append(x[:, inside].mean(dim=1))
    return torch.stack(rows, dim=1)


def test_the_contract_is_there(pooling):
    assert isinstance(pooling, Pooling)


@pytest.mark.parametrize(("grid", "window"), GRIDS, ids=lambda value: str(value))
@pytest.mark.parametrize("activation", ["none", "gelu"])
def test_every_window_is_its_mean(pooling, grid, window, activation):
    tokens = _wide(2, grid.num_tokens, 5)
    pooled = pooling(tokens, grid, window, activation)
    torch.testing.assert_close(pooled, _written_out(tokens, grid, window, activation))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("activation", ["none", "gelu"])
def test_the_fast_kernel_errs_no_more_than_the_oracle(dtype, activation):
    grid, window = Grid(8, 12), 2
    tokens = _wide(3, grid.num_tokens, 33, dtype=dtype)
    exact = _written_out(tokens, grid, window, activation)
    errors = {}
    for name, kernel in KERNELS.items():
        pooled = kernel()(tokens, grid, window, activation)
        assert pooled.dtype == dtype
        errors[name] = (pooled.double() - exact).norm() / exact.norm()
    assert errors["mean"] <= 2 * errors["adaptive"] + torch.finfo(torch.float64).eps
    assert errors["mean"] <= 2 * torch.finfo(dtype).eps


@pytest.mark.parametrize("activation", ["none", "gelu"])
def test_gradients(pooling, activation):
    tokens = _wide(2, 24, 3).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda x: pooling(x, Grid(4, 6), 2, activation), tokens, raise_exception=True
    )


def test_tokens_need_not_be_contiguous(pooling):
    with_prefix = _wide(2, 25, 6)
    tokens = with_prefix[:, 1:, ::2]
    expected = _written_out(tokens, Grid(4, 6), 2, "none")
    torch.testing.assert_close(pooling(tokens, Grid(4, 6), 2), expected)
    transposed = _wide(2, 3, 24).mT
    expected = _written_out(transposed, Grid(4, 6), 2, "none")
    torch.testing.assert_close(pooling(transposed, Grid(4, 6), 2), expected)


def test_shapes_on_meta(pooling):
    tokens = torch.empty(7, 1024, 64, device="meta", dtype=torch.bfloat16)
    pooled = pooling(tokens, Grid(32, 32), 2, "gelu")
    assert (pooled.shape, pooled.dtype, pooled.device.type) == ((7, 256, 64), tokens.dtype, "meta")


@pytest.mark.parametrize("window", [1, 2])
def test_no_tile_gives_no_token(pooling, window):
    assert pooling(torch.zeros(0, 16, 3), Grid(4, 4), window).shape == (0, 16 // window**2, 3)


def test_the_input_is_not_written(pooling):
    tokens = _wide(1, 16, 3)
    before = tokens.clone()
    pooling(tokens, Grid(4, 4), 2, "gelu")
    assert torch.equal(tokens, before)


def _address(pooling) -> str:
    return "pooling/mean" if isinstance(pooling, MeanPooling) else "pooling/adaptive"


def test_a_window_that_does_not_tile_the_grid(pooling):
    with pytest.raises(ShapeError) as caught:
        pooling(torch.zeros(1, 729, 4), Grid(27, 27), 2)
    assert str(caught.value) == (
        "729 tokens cannot be pooled 2x2.\n"
        f"  where:    {_address(pooling)}, input (grid 27x27)\n"
        "  expected: grid sides that divide by window=2\n"
        "  fix:      choose image_size and patch_size for such a grid, or use another window"
    )


@pytest.mark.parametrize("window", [0, -2])
def test_a_window_of_nothing(pooling, window):
    with pytest.raises(ShapeError, match=f"16 tokens cannot be pooled {window}x{window}"):
        pooling(torch.zeros(1, 16, 4), Grid(4, 4), window)


@pytest.mark.parametrize("shape", [(1, 17, 4), (16, 4), (1, 4, 4, 4)])
def test_tokens_that_are_not_the_grid(pooling, shape):
    with pytest.raises(ShapeError) as caught:
        pooling(torch.zeros(shape), Grid(4, 4), 2)
    assert str(caught.value) == (
        f"Tokens of shape {shape} are not a 4x4 grid.\n"
        f"  where:    {_address(pooling)}, input\n"
        "  expected: tokens of shape (B, 16, C), row-major\n"
        "  fix:      strip prefix tokens, and pass the grid of these tokens"
    )


def test_an_unknown_activation(pooling):
    with pytest.raises(UnsupportedError) as caught:
        pooling(torch.zeros(1, 16, 4), Grid(4, 4), 2, "relu")
    assert str(caught.value) == (
        f"{_address(pooling)} knows no activation 'relu'.\n"
        f"  where:    {_address(pooling)}, argument activation\n"
        '  expected: "none" or "gelu"\n'
        "  fix:      apply other activations before the kernel"
    )
