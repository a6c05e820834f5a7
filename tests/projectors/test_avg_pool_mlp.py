"""PLM's projector against transformers' own, and the two orders against each other."""

from __future__ import annotations

import pytest
import torch
from transformers import PerceptionLMConfig
from transformers.models.perception_lm.modeling_perception_lm import (
    PerceptionLMMultiModalProjector,
)

from plm_components.contracts import Grid
from plm_components.errors import ShapeError, SpecError
from plm_components.kernels.pooling.adaptive import AdaptivePooling
from plm_components.kernels.pooling.mean import MeanPooling
from plm_components.projectors.avg_pool_mlp import AvgPoolMLPProjector


def _pair(in_dim: int, out_dim: int, pool: int) -> tuple[AvgPoolMLPProjector, AvgPoolMLPProjector]:
    first = AvgPoolMLPProjector(in_dim, out_dim, pool=pool, pooling=MeanPooling())
    last = AvgPoolMLPProjector(
        in_dim, out_dim, pool=pool, order="pool_last", pooling=AdaptivePooling()
    )
    first.init_weights(torch.Generator().manual_seed(0))
    last.load_state_dict(first.state_dict())
    return first, last


def _relative_error(found: torch.Tensor, exact: torch.Tensor) -> float:
    return ((found.double() - exact).norm() / exact.norm()).item()


@pytest.mark.parametrize(
    ("grid", "pool"), [(Grid(8, 8), 2), (Grid(6, 9), 3), (Grid(2, 8), 2), (Grid(5, 3), 1)]
)
def test_both_orders_are_one_function(grid, pool):
    first, last = (projector.double() for projector in _pair(24, 40, pool))
    tokens = torch.randn(3, grid.num_tokens, 24, dtype=torch.float64)
    torch.testing.assert_close(first(tokens, grid), last(tokens, grid), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_pooling_first_is_not_less_accurate(dtype):
    first, last = (projector.to(dtype) for projector in _pair(64, 128, 2))
    grid = Grid(16, 16)
    tokens = torch.randn(4, grid.num_tokens, 64).to(dtype)
    with torch.no_grad():
        errors = [
            _relative_error(part(tokens, grid), _exact(last, tokens)) for part in (first, last)
        ]
    assert errors[0] <= 1.2 * errors[1]


def _exact(projector: AvgPoolMLPProjector, tokens: torch.Tensor) -> torch.Tensor:
    exact = AvgPoolMLPProjector(64, 128, order="pool_last", pooling=AdaptivePooling()).double()
    exact.load_state_dict(projector.state_dict())
    return exact(tokens.double(), Grid(16, 16))


@pytest.mark.parametrize("pool", [1, 2, 4])
@pytest.mark.parametrize("order", ["pool_first", "pool_last"])
def test_it_is_the_published_projector(pool, order):
    text = {"model_type": "llama", "hidden_size": 48, "num_attention_heads": 2}
    vision = {"model_args": {"embed_dim": 24}, "architecture": "vit_pe_core_large_patch14_336"}
    config = PerceptionLMConfig(
        vision_config={"model_type": "timm_wrapper", **vision},
        text_config=text,
        projector_pooling_ratio=pool,
    )
    published = PerceptionLMMultiModalProjector(config).double()
    ours = AvgPoolMLPProjector(24, 48, pool=pool, order=order, pooling=MeanPooling()).double()
    ours.load_state_dict(published.state_dict())
    tokens = torch.randn(2, 64, 24, dtype=torch.float64)
    torch.testing.assert_close(ours(tokens, Grid(8, 8)), published(tokens), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("in_dim", "out_dim", "parameters"),
    [(1024, 2048, 6_295_552), (1024, 3072, 12_589_056), (1536, 4096, 23_076_864)],
)
def test_published_sizes(in_dim, out_dim, parameters):
    with torch.device("meta"):
        projector = AvgPoolMLPProjector(in_dim, out_dim, pooling=MeanPooling())
    assert sum(p.numel() for p in projector.parameters()) == parameters
    assert projector.num_tokens(Grid(32, 32)) == 256


def test_the_published_initialisation():
    projector = AvgPoolMLPProjector(512, 256, pooling=MeanPooling())
    projector.init_weights(torch.Generator().manual_seed(0))
    std = 256**-0.5
    for name, parameter in projector.named_parameters():
        assert parameter.abs().max() <= 3 * std, name
        # a normal cut at three deviations has 0.9866 of the deviation
        assert parameter.std().item() == pytest.approx(0.9866 * std, rel=0.15), name


def test_a_grid_that_cannot_be_pooled():
    projector = AvgPoolMLPProjector(12, 16, pooling=MeanPooling())
    expected = (
        "729 tokens cannot be pooled 2x2.\n"
        "  where:    projector/avg_pool_mlp, input of forward (grid 27x27)\n"
        "  expected: grid sides that divide by pool=2\n"
        "  fix:      make image_size a multiple of patch_size * 2, or set projector.pool=1"
    )
    tokens = torch.zeros(1, 729, 12)
    for refused in (
        lambda grid: projector.num_tokens(grid),
        lambda grid: projector.out_grid(grid),
        lambda grid: projector(tokens, grid),
    ):
        with pytest.raises(ShapeError) as caught:
            refused(Grid(27, 27))
        assert str(caught.value) == expected


@pytest.mark.parametrize("pool", [0, -1])
def test_a_window_of_nothing(pool):
    with pytest.raises(SpecError) as caught:
        AvgPoolMLPProjector(12, 16, pool=pool, pooling=MeanPooling())
    assert str(caught.value) == (
        f"pool is {pool}.\n"
        "  where:    projector/avg_pool_mlp, option pool\n"
        "  expected: an integer of at least 1\n"
        "  fix:      set projector.pool to 1 or more"
    )
