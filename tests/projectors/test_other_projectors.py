"""The other projectors, against the models that brought them."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch.nn import functional as F
from transformers.models.idefics3.modeling_idefics3 import Idefics3Connector
from transformers.models.internvl.modeling_internvl import (
    InternVLModel,
    InternVLMultiModalProjector,
)

from plm_components.contracts import Grid
from plm_components.errors import ContractError, ShapeError, SpecError
from plm_components.projectors.linear import LinearProjector
from plm_components.projectors.perceiver_resampler import PerceiverResamplerProjector
from plm_components.projectors.pixel_shuffle_mlp import PixelShuffleMLPProjector


def test_linear_is_one_matrix():
    projector = LinearProjector(12, 16)
    tokens = torch.randn(2, 6, 12)
    expected = F.linear(tokens, projector.linear.weight, projector.linear.bias)
    assert torch.equal(projector(tokens, Grid(2, 3)), expected)
    assert projector.out_grid(Grid(2, 3)) == (2, 3)
    assert [name for name, _ in LinearProjector(12, 16, bias=False).named_parameters()] == [
        "linear.weight"
    ]


@pytest.mark.parametrize("window", [1, 2, 4])
def test_pixel_shuffle_is_smolvlms_connector(window):
    config = SimpleNamespace(
        scale_factor=window,
        vision_config=SimpleNamespace(hidden_size=12),
        text_config=SimpleNamespace(hidden_size=16),
    )
    published = Idefics3Connector(config)
    ours = PixelShuffleMLPProjector(12, 16, window=window, mlp="smolvlm")
    ours.mlp["proj"].load_state_dict(published.modality_projection.proj.state_dict())
    tokens = torch.randn(2, 64, 12)
    torch.testing.assert_close(ours(tokens, Grid(8, 8)), published(tokens))


@pytest.mark.parametrize("grid", [Grid(8, 8), Grid(4, 6)], ids=str)
def test_pixel_shuffle_is_internvls_projector(grid):
    config = SimpleNamespace(
        downsample_ratio=0.5,
        projector_hidden_act="gelu",
        vision_config=SimpleNamespace(hidden_size=12),
        text_config=SimpleNamespace(hidden_size=16),
    )
    published = InternVLMultiModalProjector(config)
    ours = PixelShuffleMLPProjector(12, 16)
    ours.mlp.load_state_dict(published.state_dict())
    tokens = torch.randn(2, grid.num_tokens, 12)
    # its shuffle takes the map with its rows first
    folded = InternVLModel.pixel_shuffle(None, tokens.unflatten(1, tuple(grid)), scale_factor=0.5)
    expected = published(folded.reshape(2, grid.num_tokens // 4, 48))
    torch.testing.assert_close(ours(tokens, grid), expected)


def test_a_grid_that_cannot_be_folded():
    with pytest.raises(ShapeError) as caught:
        PixelShuffleMLPProjector(12, 16).num_tokens(Grid(27, 27))
    assert str(caught.value) == (
        "729 tokens cannot be folded 2x2.\n"
        "  where:    projector/pixel_shuffle_mlp, input of forward (grid 27x27)\n"
        "  expected: grid sides that divide by window=2\n"
        "  fix:      make image_size a multiple of patch_size * 2, or set projector.window=1"
    )


def test_a_window_of_nothing():
    with pytest.raises(SpecError, match=r"window is 0\."):
        PixelShuffleMLPProjector(12, 16, window=0)


def _resampler(**options):
    projector = PerceiverResamplerProjector(12, 16, num_heads=4, **options)
    projector.init_weights(torch.Generator().manual_seed(0))
    return projector


@pytest.mark.parametrize("grid", [Grid(1, 1), Grid(3, 5), Grid(27, 27)], ids=str)
def test_the_resampler_takes_any_grid(grid):
    projector = _resampler(num_queries=7, num_layers=3)
    assert projector(torch.randn(2, grid.num_tokens, 12), grid).shape == (2, 7, 16)
    assert projector.num_tokens(grid) == 7
    assert projector.out_grid(grid) is None


def test_the_resampler_sees_a_set_of_tokens():
    projector = _resampler(num_queries=7).double()
    tokens = torch.randn(1, 12, 12, dtype=torch.float64)
    shuffled = tokens[:, torch.randperm(12)]
    torch.testing.assert_close(projector(tokens, Grid(3, 4)), projector(shuffled, Grid(3, 4)))


def test_the_resamplers_queries_differ():
    embeddings = _resampler(num_queries=7)(torch.randn(1, 12, 12), Grid(3, 4))
    distances = torch.pdist(embeddings[0])
    assert distances.min() > 1e-3


def test_the_resampler_attends_as_published():
    # one layer, written out: keys and values are the tokens and the queries, all pre-normed
    projector = _resampler(num_queries=3, num_layers=1).double()
    (layer,) = projector.layers
    tokens = torch.randn(1, 6, 12, dtype=torch.float64)
    x = projector.queries
    context = projector.input(tokens)[0]
    query, seen = layer.norm_query(x), torch.cat((layer.norm_context(context), layer.norm_query(x)))
    q, (k, v) = layer.q_proj(query), layer.kv_proj(seen).chunk(2, dim=-1)
    heads = []
    for head in range(4):
        at = slice(4 * head, 4 * head + 4)
        weights = (q[:, at] @ k[:, at].T / 2).softmax(dim=-1)
        heads.append(weights @ v[:, at])
    x = x + layer.o_proj(torch.cat(heads, dim=-1))
    x = x + layer.fc2(F.gelu(layer.fc1(layer.norm_mlp(x))))
    torch.testing.assert_close(projector(tokens, Grid(2, 3))[0], projector.norm(x))


def test_heads_that_do_not_divide_the_width():
    with pytest.raises(ContractError) as caught:
        PerceiverResamplerProjector(12, 20, num_heads=8)
    assert str(caught.value) == (
        "20 channels cannot be split into 8 heads.\n"
        "  where:    projector/perceiver_resampler, option num_heads\n"
        "  expected: a divisor of the decoder's width 20\n"
        "  fix:      choose another projector.num_heads"
    )


@pytest.mark.parametrize("option", ["num_queries", "num_layers", "num_heads", "mlp_ratio"])
def test_a_resampler_of_nothing(option):
    with pytest.raises(SpecError) as caught:
        PerceiverResamplerProjector(12, 16, **{option: 0})
    assert caught.value.what == f"{option} is 0."
    assert caught.value.where == f"projector/perceiver_resampler, option {option}"
