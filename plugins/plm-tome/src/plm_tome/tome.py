"""Merges similar vision tokens, wherever they stand, and projects what is left."""

from __future__ import annotations

from math import ceil
from typing import ClassVar

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from plm_components.contracts import Grid
from plm_components.errors import ShapeError, SpecError
from plm_tome.matching import match

_ADDRESS = "projector/tome"


class ToMeProjector(nn.Module):
    """Keeps one token in ``reduction``, each the mean of those that were merged into it.

    Pooling spends as many embeddings on a blank wall as on a page of text. Here the tokens that are
    most alike become one, so what is rare keeps tokens of its own. How many are left is known from
    the grid alone; which ones is decided by the picture. There are no weights before the MLP, and
    its layers carry the names of ``projector/avg_pool_mlp``, so that projector's weights fit.

    The paper merges between the layers of a ViT and compares attention keys; a projector sees the
    last layer's tokens only and compares those. The decoder is not told how many tokens stand
    behind an embedding (the paper's proportional attention).

    Args:
        in_dim: Channels of a vision token.
        out_dim: Channels of a decoder embedding.
        reduction: Tokens that become one, on average.
        round_share: The most that one round of matching merges away, as a share of the tokens it
            finds; at most 0.5. Smaller is slower and merges more carefully.

    Shapes:
        tokens_BNC ``(B, h*w, in_dim)`` -> ``(B, ceil(h*w / reduction), out_dim)``, for every grid.

    Raises:
        ShapeError: the tokens are not the grid.
        SpecError: an option is out of its range.

    Source:
        Token Merging (ToMe), arXiv 2210.09461, section 3; merged tokens are averaged by size.
    """

    __plm_kind__: ClassVar[str] = "projector"

    def __init__(
        self, in_dim: int, out_dim: int, *, reduction: int = 4, round_share: float = 0.25
    ) -> None:
        super().__init__()
        if reduction < 1 or not 0 < round_share <= 0.5:
            raise SpecError(
                f"reduction={reduction} with round_share={round_share} cannot merge tokens.",
                where=_ADDRESS,
                expected="reduction of at least 1, round_share above 0 and at most 0.5",
                fix="set projector.reduction=4 and projector.round_share=0.25",
            )
        self.in_dim, self.out_dim = in_dim, out_dim
        self.reduction, self.round_share = reduction, round_share
        self.linear_1 = nn.Linear(in_dim, out_dim)
        self.linear_2 = nn.Linear(out_dim, out_dim)

    def num_tokens(self, grid: Grid) -> int:
        """Embeddings a tile becomes, whatever it shows."""
        return ceil(grid.num_tokens / self.reduction)

    def out_grid(self, grid: Grid) -> None:
        """None: what is left stands in reading order, but in no rows and columns."""

    def forward(self, tokens_BNC: Tensor, grid: Grid) -> Tensor:
        """``(B, h*w, in_dim)`` -> ``(B, M, out_dim)``."""
        if tokens_BNC.shape[1:] != (grid.num_tokens, self.in_dim):
            raise ShapeError(
                f"Tokens of shape {tuple(tokens_BNC.shape)} are not a {grid} grid of "
                f"{self.in_dim} channels.",
                where=f"{_ADDRESS}, input of forward (grid {grid})",
                expected=f"tokens of shape (B, {grid.num_tokens}, {self.in_dim}), row-major",
                fix="pass the vision encoder's tokens, with encoder.grid(height, width)",
            )
        merged_BMC = merge(tokens_BNC, self.num_tokens(grid), self.round_share)
        embedded_BMD: Tensor = self.linear_2(F.gelu(self.linear_1(merged_BMC)))
        return embedded_BMD

    def init_buffers(self) -> None:
        """Does nothing: there are no buffers."""

    def init_weights(self, generator: Generator | None = None) -> None:
        """Truncated normal of deviation ``out_dim ** -0.5``, cut at three, biases too."""
        std = self.out_dim**-0.5
        for parameter in self.parameters():
            nn.init.trunc_normal_(parameter, std=std, a=-3 * std, b=3 * std, generator=generator)


def merge(tokens_BNC: Tensor, target: int, share: float) -> Tensor:
    """``(B, N, C)`` -> ``(B, target, C)``: the mean of each group of ``match``.

    Averaging by size, round by round, is one mean over all that came together.
    """
    place_BN = match(tokens_BNC, target, share)
    rows_M1 = torch.arange(target, device=tokens_BNC.device)[:, None]
    # a product with zeros and ones: unlike a scattered sum it is deterministic on every device
    into_BMN = (place_BN[:, None, :] == rows_M1).to(
        torch.promote_types(tokens_BNC.dtype, torch.float32)
    )
    mean_BMC = (into_BMN @ tokens_BNC.to(into_BMN.dtype)) / into_BMN.sum(-1, keepdim=True)
    return mean_BMC.to(tokens_BNC.dtype)
