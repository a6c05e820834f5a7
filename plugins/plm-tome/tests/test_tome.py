"""Token merging against a restatement in plain Python, and what it promises."""

from __future__ import annotations

from math import ceil

import numpy as np
import pytest
import torch
from torch import Tensor

from plm_components.contracts import Grid
from plm_components.errors import ShapeError, SpecError
from plm_tome.matching import round_sizes
from plm_tome.tome import ToMeProjector, merge


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def restated(tokens: np.ndarray, rounds: list[int]) -> np.ndarray:
    """The paper's section 3 over lists of groups, in float64: no tensor code in common."""
    groups = [[number] for number in range(len(tokens))]
    for count in rounds:
        means = [tokens[group].mean(0) for group in groups]
        edges = []
        for a in range(0, len(groups), 2):
            found = [(_cosine(means[a], means[b]), -b) for b in range(1, len(groups), 2)]
            best, b = max(found)
            edges.append((-best, a, -b))
        merged = sorted(edges)[:count]
        for _, a, b in merged:
            groups[b] = groups[b] + groups[a]
        gone = {a for _, a, _ in merged}
        groups = [group for number, group in enumerate(groups) if number not in gone]
    return np.stack([tokens[group].mean(0) for group in groups])


def _cosine(one: np.ndarray, other: np.ndarray) -> float:
    return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))


@pytest.mark.parametrize(
    ("num_tokens", "target", "share"),
    [(16, 4, 0.25), (15, 4, 0.5), (36, 9, 0.25), (36, 1, 0.5), (9, 9, 0.25), (2, 1, 0.1)],
)
def test_it_merges_as_the_paper_says(num_tokens: int, target: int, share: float) -> None:
    # representable in bf16, so that both look at the same numbers
    tokens_BNC = noise(3, num_tokens, 8).bfloat16().double()
    merged_BMC = merge(tokens_BNC, target, share)
    for tokens_NC, found_MC in zip(tokens_BNC, merged_BMC, strict=True):
        expected = restated(tokens_NC.numpy(), round_sizes(num_tokens, target, share))
        torch.testing.assert_close(found_MC, torch.from_numpy(expected), rtol=1e-12, atol=1e-12)


def test_what_is_rare_keeps_a_token_of_its_own() -> None:
    """A wall of 60 tokens and four things on it: pooling 2x2 would blur each thing with wall."""
    wall, things = noise(1, 16), noise(4, 16, seed=1)
    tokens_NC = wall + 0.01 * noise(64, 16, seed=2)
    # things stand among the tokens that draw edges and among those that are drawn to
    where = torch.tensor([3, 18, 37, 52])
    tokens_NC[where] = things
    merged_MC = merge(tokens_NC[None], 16, 0.25)[0]
    nearest = torch.cdist(things, merged_MC).min(-1).values
    assert nearest.tolist() == pytest.approx([0.0] * 4, abs=1e-6)


def test_nothing_is_lost_but_detail() -> None:
    """With one token left it is the mean of all, whatever was merged on the way."""
    tokens_BNC = noise(2, 50, 8)
    mean_B1C = merge(tokens_BNC, 1, 0.25)
    torch.testing.assert_close(mean_B1C, tokens_BNC.mean(1, keepdim=True), rtol=1e-5, atol=1e-6)


def test_what_is_kept_stays_in_reading_order() -> None:
    """Four bands of one colour each: their means come out from top to bottom."""
    bands_4C = noise(4, 32)
    tokens_NC = bands_4C.repeat_interleave(16, 0)
    merged_4C = merge(tokens_NC[None], 4, 0.5)[0]
    torch.testing.assert_close(merged_4C, bands_4C)


def test_a_picture_alone_gives_the_bits_it_gives_in_a_batch() -> None:
    """Blank tiles among them: all their tokens tie."""
    tokens_BNC = torch.cat([noise(2, 64, 32), torch.ones(1, 64, 32), torch.zeros(1, 64, 32)])
    together = merge(tokens_BNC, 16, 0.25)
    alone = torch.cat([merge(row[None], 16, 0.25) for row in tokens_BNC])
    assert torch.equal(together, alone)
    assert torch.equal(together, merge(tokens_BNC, 16, 0.25))


def test_precision_does_not_decide_what_merges() -> None:
    tokens_BNC = noise(4, 144, 32)
    exact = merge(tokens_BNC, 36, 0.25)
    low = merge(tokens_BNC.bfloat16(), 36, 0.25)
    # a token that went elsewhere would be off by about 1
    assert float((low.float() - exact).abs().max()) < 0.02


@pytest.mark.parametrize(("h", "w", "reduction"), [(32, 32, 4), (1, 7, 4), (5, 3, 7), (1, 1, 9)])
def test_the_count_is_known_before_any_weight(h: int, w: int, reduction: int) -> None:
    with torch.device("meta"):
        projector = ToMeProjector(8, 16, reduction=reduction)
    grid = Grid(h, w)
    assert projector.num_tokens(grid) == ceil(h * w / reduction)
    tokens_BNC = torch.empty(2, h * w, 8, device="meta")
    assert projector(tokens_BNC, grid).shape == (2, projector.num_tokens(grid), 16)


def test_a_pooling_projector_s_weights_fit() -> None:
    from plm_components.kernels.pooling.mean import MeanPooling
    from plm_components.projectors.avg_pool_mlp import AvgPoolMLPProjector

    theirs = AvgPoolMLPProjector(8, 16, pooling=MeanPooling())
    theirs.init_weights(torch.Generator().manual_seed(0))
    ours = ToMeProjector(8, 16, reduction=1)
    ours.load_state_dict(theirs.state_dict(), strict=True)
    tokens_BNC, grid = noise(2, 9, 8), Grid(3, 3)
    unpooled = AvgPoolMLPProjector(8, 16, pool=1, pooling=MeanPooling())
    unpooled.load_state_dict(theirs.state_dict())
    torch.testing.assert_close(ours(tokens_BNC, grid), unpooled(tokens_BNC, grid))


def test_options_that_cannot_merge_are_refused() -> None:
    with pytest.raises(SpecError) as caught:
        ToMeProjector(8, 16, round_share=0.75)
    assert str(caught.value) == (
        "reduction=4 with round_share=0.75 cannot merge tokens.\n"
        "  where:    projector/tome\n"
        "  expected: reduction of at least 1, round_share above 0 and at most 0.5\n"
        "  fix:      set projector.reduction=4 and projector.round_share=0.25"
    )


def test_tokens_that_are_not_the_grid_are_refused() -> None:
    with pytest.raises(ShapeError) as caught:
        ToMeProjector(8, 16)(noise(2, 5, 8), Grid(2, 3))
    assert str(caught.value) == (
        "Tokens of shape (2, 5, 8) are not a 2x3 grid of 8 channels.\n"
        "  where:    projector/tome, input of forward (grid 2x3)\n"
        "  expected: tokens of shape (B, 6, 8), row-major\n"
        "  fix:      pass the vision encoder's tokens, with encoder.grid(height, width)"
    )
