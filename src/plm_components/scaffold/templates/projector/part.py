"""Windows of tokens averaged by learned weights, then one matrix."""

from __future__ import annotations

from typing import ClassVar

import torch
from plm_components.contracts import Grid
from plm_components.errors import ShapeError
from torch import Generator, Tensor, nn


class MyPart(nn.Module):
    """Lets each token say how much it counts in the average of its window.

    The weights are a softmax over the window; with ``gate`` at zero they are equal, and this is
    mean pooling.

    Args:
        in_dim: Channels of a vision token.
        out_dim: Channels of a decoder embedding.
        pool: Side of the window that becomes one embedding, in tokens.

    Shapes:
        tokens_BNC ``(B, h*w, in_dim)`` -> ``(B, h/pool * w/pool, out_dim)``.

    Raises:
        ShapeError: the tokens are not the grid, or a side does not divide by ``pool``.
    """

    __plm_kind__: ClassVar[str] = "projector"

    # before the star: what plm_components wires; after it: options that a spec may set
    def __init__(self, in_dim: int, out_dim: int, *, pool: int = 2) -> None:
        super().__init__()
        self.in_dim, self.pool = in_dim, pool
        # no bias: a softmax would not see it
        self.gate = nn.Linear(in_dim, 1, bias=False)
        self.project = nn.Linear(in_dim, out_dim)
        # alone in its window, a token has nothing to be weighed against
        self.unused_parameters = ("gate.weight",) if pool == 1 else ()

    def num_tokens(self, grid: Grid) -> int:
        """Embeddings a tile becomes."""
        return self.out_grid(grid).num_tokens

    def out_grid(self, grid: Grid) -> Grid:
        """The grid of windows."""
        if grid.h % self.pool or grid.w % self.pool:
            raise _misfit(
                f"A {grid} grid cannot be pooled {self.pool}x{self.pool}.",
                f"grid sides that divide by pool={self.pool}",
                "set projector.pool=1, or choose another image_size",
            )
        return Grid(grid.h // self.pool, grid.w // self.pool)

    def forward(self, tokens_BNC: Tensor, grid: Grid) -> Tensor:
        """``(B, h*w, in_dim)`` -> ``(B, M, out_dim)``."""
        if tokens_BNC.shape[1:] != (grid.num_tokens, self.in_dim):
            raise _misfit(
                f"Tokens of shape {tuple(tokens_BNC.shape)} are not a {grid} grid.",
                f"tokens of shape (B, {grid.num_tokens}, {self.in_dim}), row-major",
                "pass the vision encoder's tokens with their grid",
            )
        h, w = self.out_grid(grid)
        windows_BhpwpC = torch.unflatten(tokens_BNC, 1, (h, self.pool, w, self.pool))
        windows_BMPC = windows_BhpwpC.transpose(2, 3).flatten(3, 4).flatten(1, 2)
        weights_BMP1 = self.gate(windows_BMPC).softmax(2)
        embedded_BMD: Tensor = self.project((weights_BMP1 * windows_BMPC).sum(2))
        return embedded_BMD

    def init_buffers(self) -> None:
        """Does nothing: there are no buffers."""

    def init_weights(self, generator: Generator | None = None) -> None:
        """Normal of deviation ``in_dim ** -0.5``; the bias zero, the gate open to all alike."""
        nn.init.zeros_(self.gate.weight)
        nn.init.normal_(self.project.weight, std=self.in_dim**-0.5, generator=generator)
        nn.init.zeros_(self.project.bias)


def _misfit(what: str, expected: str, fix: str) -> ShapeError:
    return ShapeError(
        what,
        where="projector/my_part",
        expected=expected,
        fix=fix,
    )
