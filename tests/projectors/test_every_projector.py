"""What every projector promises."""

from __future__ import annotations

import pytest
import torch

from plm_components.contracts import Grid, Projector
from plm_components.errors import ShapeError

GRIDS = [Grid(4, 4), Grid(2, 6), Grid(8, 2), Grid(16, 16)]


@pytest.fixture
def projector(build):
    built = build()
    built.init_weights(torch.Generator().manual_seed(0))
    return built


def _tokens(batch: int, grid: Grid, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    shape = (batch, grid.num_tokens, 12)
    return torch.randn(shape, generator=torch.Generator().manual_seed(1)).to(dtype)


def test_the_contract_is_there(projector):
    assert isinstance(projector, Projector)


@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_the_promised_tokens_come_out(projector, grid):
    embeddings = projector(_tokens(3, grid), grid)
    assert embeddings.shape == (3, projector.num_tokens(grid), 16)
    out = projector.out_grid(grid)
    assert out is None or out.num_tokens == projector.num_tokens(grid)


def test_each_tile_stands_alone(projector):
    grid = Grid(4, 6)
    tokens = _tokens(4, grid)
    together, alone = projector(tokens, grid), projector(tokens[2:3], grid)
    torch.testing.assert_close(together[2:3], alone, rtol=1e-5, atol=1e-6)


def test_a_gradient_reaches_every_parameter(projector):
    projector(_tokens(2, Grid(4, 4)), Grid(4, 4)).square().sum().backward()
    missing = [
        name for name, p in projector.named_parameters() if p.grad is None or not p.grad.any()
    ]
    assert missing == []


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16], ids=str)
def test_the_dtype_is_kept(projector, dtype):
    grid = Grid(4, 4)
    expected = projector(_tokens(2, grid), grid)
    embeddings = projector.to(dtype)(_tokens(2, grid, dtype), grid)
    assert embeddings.dtype == dtype
    assert (embeddings - expected).norm() / expected.norm() < 0.02


def test_no_tile_gives_no_embedding(projector):
    grid = Grid(4, 4)
    assert projector(_tokens(0, grid), grid).shape == (0, projector.num_tokens(grid), 16)


def test_built_on_meta_it_is_the_same_projector(build, projector):
    with torch.device("meta"):
        copy = build()
    assert copy(torch.empty(2, 16, 12, device="meta"), Grid(4, 4)).is_meta
    copy.to_empty(device="cpu")
    copy.init_buffers()
    copy.load_state_dict(projector.state_dict())
    tokens = _tokens(2, Grid(4, 4))
    assert torch.equal(copy(tokens, Grid(4, 4)), projector(tokens, Grid(4, 4)))


def test_weights_come_from_the_generator_alone(build, projector):
    with torch.device("meta"):
        copy = build()
    copy.to_empty(device="cpu")
    state = torch.get_rng_state()
    copy.init_weights(torch.Generator().manual_seed(0))
    assert torch.equal(torch.get_rng_state(), state)
    first, same = projector.state_dict(), copy.state_dict()
    assert all(torch.equal(first[name], same[name]) for name in first)
    copy.init_weights(torch.Generator().manual_seed(1))
    other = copy.state_dict()
    matrices = [name for name in first if first[name].ndim == 2]
    assert not any(torch.equal(first[name], other[name]) for name in matrices)


@pytest.mark.parametrize("shape", [(2, 15, 12), (2, 16, 11), (16, 12)])
def test_tokens_that_are_not_the_grid(projector, shape):
    with pytest.raises(ShapeError) as caught:
        projector(torch.zeros(shape), Grid(4, 4))
    assert caught.value.what == f"Tokens of shape {shape} are not a 4x4 grid of 12 channels."
    assert caught.value.expected == "tokens of shape (B, 16, 12), row-major"
    assert caught.value.fix == (
        "pass the vision encoder's tokens, with encoder.grid(height, width) of their tile"
    )
