"""The gated resampler against a restatement in numpy, and against what its gates promise."""

from __future__ import annotations

from math import erf

import numpy as np
import pytest
import torch
from torch import Tensor

from plm_components.contracts import Attention, Grid
from plm_components.errors import ShapeError, SpecError
from plm_components.kernels.attention.eager import EagerAttention
from plm_components.kernels.attention.sdpa import SDPAAttention
from plm_gated_resampler.gated_resampler import GatedResamplerProjector

GRID = Grid(4, 6)


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def small(attention: type[Attention] = SDPAAttention, **options: int) -> GatedResamplerProjector:
    part = GatedResamplerProjector(12, 16, num_heads=4, attention=attention(4, 4, 4), **options)
    part.init_weights(torch.Generator().manual_seed(0))
    return part.eval()


def opened(part: GatedResamplerProjector) -> GatedResamplerProjector:
    """Every parameter moved, gates and norms among them."""
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in part.parameters():
            parameter += 0.3 * torch.randn(parameter.shape, generator=generator)
    return part


def restated(weights: dict[str, np.ndarray], tokens_NC: np.ndarray, num_heads: int) -> np.ndarray:
    """Flamingo's equations over one tile, in float64, head by head and window by window."""

    def norm(name: str, x: np.ndarray) -> np.ndarray:
        centred = x - x.mean(-1, keepdims=True)
        unit = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5)
        return unit * weights[f"{name}.weight"] + weights[f"{name}.bias"]

    def linear(name: str, x: np.ndarray) -> np.ndarray:
        return x @ weights[f"{name}.weight"].T

    field = tokens_NC.reshape(GRID.h, GRID.w, -1)
    pooled = [
        field[row : row + 2, column : column + 2].mean((0, 1))
        for row in range(0, GRID.h, 2)
        for column in range(0, GRID.w, 2)
    ]
    x = linear("input", np.stack(pooled)) + weights["input.bias"]
    for layer in ("layers.0", "layers.1"):
        context = norm(f"{layer}.norm_context", tokens_NC)
        query = linear(f"{layer}.q_proj", norm(f"{layer}.norm_query", x))
        key, value = linear(f"{layer}.k_proj", context), linear(f"{layer}.v_proj", context)
        mixed = []
        for head in range(num_heads):
            size = x.shape[1] // num_heads
            part = slice(head * size, (head + 1) * size)
            weight = np.exp(query[:, part] @ key[:, part].T / np.sqrt(size))
            mixed.append(weight / weight.sum(-1, keepdims=True) @ value[:, part])
        seen = linear(f"{layer}.o_proj", np.concatenate(mixed, -1))
        x = x + np.tanh(weights[f"{layer}.attention_gate"]) * seen
        hidden = linear(f"{layer}.fc1", norm(f"{layer}.norm_ffn", x))
        hidden = hidden * (1 + np.vectorize(erf)(hidden / np.sqrt(2))) / 2
        x = x + np.tanh(weights[f"{layer}.ffn_gate"]) * linear(f"{layer}.fc2", hidden)
    return x


@pytest.mark.parametrize("attention", [EagerAttention, SDPAAttention])
@torch.no_grad()
def test_it_computes_flamingo_s_equations(attention: type[Attention]) -> None:
    part = opened(small(attention)).double()
    tokens_BNC = noise(2, GRID.num_tokens, 12).double()
    weights = {name: tensor.numpy() for name, tensor in part.state_dict().items()}
    expected = np.stack([restated(weights, tile.numpy(), 4) for tile in tokens_BNC])
    found = part(tokens_BNC, GRID)
    torch.testing.assert_close(found, torch.from_numpy(expected), rtol=1e-10, atol=1e-10)


@torch.no_grad()
def test_untrained_it_is_a_linear_projection_of_pooled_tokens() -> None:
    part, tokens_BNC = small(), noise(2, GRID.num_tokens, 12)
    field = tokens_BNC.transpose(1, 2).unflatten(2, tuple(GRID))
    pooled = torch.nn.functional.avg_pool2d(field, 2).flatten(2).transpose(1, 2)
    torch.testing.assert_close(part(tokens_BNC, GRID), part.input(pooled))


def test_closed_gates_can_be_opened_by_training() -> None:
    """What stands behind a closed gate gets no gradient, the gate itself does."""
    part = small()
    part(noise(2, GRID.num_tokens, 12), GRID).square().mean().backward()
    for name, parameter in part.named_parameters():
        reached = bool(parameter.grad.abs().sum())
        assert reached == (name.startswith("input.") or name.endswith("_gate")), name


@torch.no_grad()
def test_every_embedding_can_see_the_whole_tile() -> None:
    part, tokens_BNC = opened(small()), noise(1, GRID.num_tokens, 12)
    changed = tokens_BNC.clone()
    changed[0, -1] += noise(12, seed=3)
    moved_M = (part(changed, GRID) - part(tokens_BNC, GRID))[0].abs().amax(-1)
    assert float(moved_M.min()) > 1e-4
    # and most of it shows where it stands
    assert int(moved_M.argmax()) == len(moved_M) - 1


def test_a_grid_that_does_not_divide_is_refused() -> None:
    with pytest.raises(ShapeError) as caught:
        small().num_tokens(Grid(3, 5))
    assert str(caught.value) == (
        "15 tokens cannot be pooled 2x2.\n"
        "  where:    projector/gated_resampler, input of forward (grid 3x5)\n"
        "  expected: grid sides that divide by pool=2\n"
        "  fix:      make image_size a multiple of patch_size * 2, or set projector.pool=1"
    )


def test_tokens_that_are_not_the_grid_are_refused() -> None:
    with pytest.raises(ShapeError) as caught:
        small()(noise(2, 5, 12), Grid(2, 2))
    assert str(caught.value) == (
        "Tokens of shape (2, 5, 12) are not a 2x2 grid of 12 channels.\n"
        "  where:    projector/gated_resampler, input of forward (grid 2x2)\n"
        "  expected: tokens of shape (B, 4, 12), row-major\n"
        "  fix:      pass the vision encoder's tokens, with encoder.grid(height, width)"
    )


def test_an_option_below_one_is_refused() -> None:
    with pytest.raises(SpecError) as caught:
        small(num_layers=0)
    assert str(caught.value) == (
        "num_layers is 0.\n"
        "  where:    projector/gated_resampler, option num_layers\n"
        "  expected: an integer of at least 1\n"
        "  fix:      set projector.num_layers to 1 or more"
    )
