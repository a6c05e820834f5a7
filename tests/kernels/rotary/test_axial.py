"""Tables over a grid against timm's, and the dtype they keep."""

from __future__ import annotations

import pytest
import torch
from timm.layers import RotaryEmbeddingCat, apply_rot_embed_cat

from plm_components.contracts import Grid
from plm_components.kernels.rotary import AxialRotary, apply_interleaved_rotary


def theirs(head_dim: int, grid: Grid, first: int, scaled_to: Grid | None) -> torch.Tensor:
    rope = RotaryEmbeddingCat(
        head_dim,
        in_pixels=False,
        ref_feat_shape=scaled_to,
        grid_offset=float(first),
        grid_indexing="xy",
    )
    return rope.get_embed(tuple(grid))


@pytest.mark.parametrize("head_dim", [64, 96, 4])
@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("scaled_to", [None, Grid(32, 32), Grid(3, 5)])
@pytest.mark.parametrize("grid", [Grid(32, 32), Grid(5, 9), Grid(40, 1)])
def test_tables_equal_timms_to_the_bit(head_dim, first, scaled_to, grid) -> None:
    cos, sin = AxialRotary(head_dim, first=first)(grid, scaled_to)
    assert torch.equal(torch.cat((sin, cos), dim=1), theirs(head_dim, grid, first, scaled_to))
    x = torch.randn(2, 3, grid.num_tokens, head_dim)
    turned = apply_interleaved_rotary(x, (cos, sin))
    assert torch.equal(turned, apply_rot_embed_cat(x, torch.cat((sin, cos), dim=1)))


def test_a_prefix_is_not_turned() -> None:
    cos, sin = AxialRotary(16, num_prefix=2, first=1)(Grid(2, 3))
    x = torch.randn(8, 16)
    turned = apply_interleaved_rotary(x, (cos, sin))
    assert torch.equal(turned[:2], x[:2])
    behind = AxialRotary(16, first=1)(Grid(2, 3))
    assert torch.equal(turned[2:], apply_interleaved_rotary(x[2:], behind))


def test_scores_depend_on_the_distance_alone() -> None:
    # what rotary is for, on both axes
    tables = AxialRotary(32)(Grid(6, 6))
    q, k = (torch.randn(32).expand(36, 32) for _ in range(2))
    scores = apply_interleaved_rotary(q, tables) @ apply_interleaved_rotary(k, tables).T
    scores = scores.view(6, 6, 6, 6)
    torch.testing.assert_close(scores[0, 1, 2, 2], scores[3, 4, 5, 5], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(scores[4, 0, 1, 2], scores[5, 3, 2, 5], rtol=1e-5, atol=1e-5)
    assert (scores[0, 0, 0, 1] - scores[0, 0, 1, 0]).abs() > 1e-3


def test_bf16_is_turned_in_fp32() -> None:
    tables = AxialRotary(64)(Grid(4, 4))
    x = torch.randn(2, 16, 64, dtype=torch.bfloat16)
    found = apply_interleaved_rotary(x, tables)
    assert found.dtype == torch.bfloat16
    assert torch.equal(found, apply_interleaved_rotary(x.float(), tables).bfloat16())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_frequencies_survive_a_cast_of_the_model(dtype: torch.dtype) -> None:
    before = AxialRotary(64)(Grid(32, 32))
    after = AxialRotary(64).to(dtype)(Grid(32, 32))
    assert all(torch.equal(one, other) for one, other in zip(before, after, strict=True))
    assert after[0].dtype == torch.float32


def test_frequencies_come_back_after_meta() -> None:
    with torch.device("meta"):
        rotary = AxialRotary(64)
    rotary.to_empty(device="cpu")
    rotary.inv_freq.fill_(torch.nan)
    rotary.init_buffers()
    assert torch.equal(rotary.inv_freq, AxialRotary(64).inv_freq)
