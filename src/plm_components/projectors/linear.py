"""One matrix: every token kept."""

from __future__ import annotations

from typing import ClassVar

from torch import Generator, Tensor, nn

from plm_components.contracts import Grid
from plm_components.projectors.tokens import draw_linears, require_tokens

_ADDRESS = "projector/linear"


class LinearProjector(nn.Module):
    """Projects each vision token by one linear layer.

    Args:
        in_dim: Channels of a vision token.
        out_dim: Channels of a decoder embedding.
        bias: Whether a bias is added.

    Shapes:
        tokens_BNC ``(B, h*w, in_dim)`` -> ``(B, h*w, out_dim)``.

    Raises:
        ShapeError: the tokens are not the grid.

    Source:
        LLaVA, arXiv 2304.08485, section 4.1.
    """

    compiles: ClassVar[bool] = True
    __plm_kind__: ClassVar[str] = "projector"

    def __init__(self, in_dim: int, out_dim: int, *, bias: bool = True) -> None:
        super().__init__()
        self.in_dim = in_dim
        self.linear = nn.Linear(in_dim, out_dim, bias=bias)

    def num_tokens(self, grid: Grid) -> int:
        """Embeddings a tile becomes: as many as it has tokens."""
        return grid.num_tokens

    def out_grid(self, grid: Grid) -> Grid:
        """The grid itself."""
        return grid

    def forward(self, tokens_BNC: Tensor, grid: Grid) -> Tensor:
        """``(B, h*w, in_dim)`` -> ``(B, h*w, out_dim)``."""
        require_tokens(_ADDRESS, tokens_BNC, grid, self.in_dim)
        embeddings_BND: Tensor = self.linear(tokens_BNC)
        return embeddings_BND

    def init_buffers(self) -> None:
        """Does nothing: there are no buffers."""

    def init_weights(self, generator: Generator | None = None) -> None:
        """Truncated normal of deviation ``in_dim ** -0.5``, biases zero."""
        draw_linears(self, generator)
