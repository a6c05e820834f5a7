"""Windows of tokens folded into channels, then an MLP: no token is averaged away."""

from __future__ import annotations

from typing import ClassVar, Literal

from torch import Generator, Tensor, nn

from plm_components.contracts import Grid
from plm_components.projectors.tokens import (
    draw_linears,
    require_positive,
    require_tokens,
    windowed_grid,
)

_ADDRESS = "projector/pixel_shuffle_mlp"


class PixelShuffleMLPProjector(nn.Module):
    """Concatenates ``window`` x ``window`` neighbours, then projects them together.

    Channels of a folded token are ordered ``(row in window, column in window, channel)``, as in
    InternVL (its second version of the shuffle) and Idefics 3.

    Args:
        in_dim: Channels of a vision token.
        out_dim: Channels of a decoder embedding.
        window: Side of the window, in tokens; 1 folds nothing.
        mlp: ``internvl`` is LayerNorm, linear, erf GELU, linear; ``smolvlm`` is one linear layer
            without bias.

    Shapes:
        tokens_BNC ``(B, h*w, in_dim)`` -> ``(B, h/window * w/window, out_dim)``.

    Raises:
        ShapeError: a grid side does not divide by ``window``, or the tokens are not the grid.
        SpecError: ``window`` is less than 1.

    Source:
        InternVL 1.5, arXiv 2404.16821, section 3.1; Idefics 3, arXiv 2408.12637, section 4.1;
        SmolVLM, arXiv 2504.05299.
    """

    compiles: ClassVar[bool] = True
    __plm_kind__: ClassVar[str] = "projector"

    def __init__(
        self,
        in_dim: int,
        out_dim: int,
        *,
        window: int = 2,
        mlp: Literal["internvl", "smolvlm"] = "internvl",
    ) -> None:
        super().__init__()
        require_positive(_ADDRESS, window=window)
        self.in_dim = in_dim
        self.window = window
        folded_dim = in_dim * window**2
        self.mlp = (
            nn.ModuleDict({"proj": nn.Linear(folded_dim, out_dim, bias=False)})
            if mlp == "smolvlm"
            else nn.ModuleDict(
                {
                    "layer_norm": nn.LayerNorm(folded_dim),
                    "linear_1": nn.Linear(folded_dim, out_dim),
                    "act": nn.GELU(),
                    "linear_2": nn.Linear(out_dim, out_dim),
                }
            )
        )

    def num_tokens(self, grid: Grid) -> int:
        """Embeddings a tile becomes."""
        return self.out_grid(grid).num_tokens

    def out_grid(self, grid: Grid) -> Grid:
        """The grid of windows."""
        return windowed_grid(_ADDRESS, grid, self.window, option="window", verb="folded")

    def forward(self, tokens_BNC: Tensor, grid: Grid) -> Tensor:
        """``(B, h*w, in_dim)`` -> ``(B, M, out_dim)``."""
        require_tokens(_ADDRESS, tokens_BNC, grid, self.in_dim)
        hidden = self._folded(tokens_BNC, grid)
        for layer in self.mlp.values():
            hidden = layer(hidden)
        return hidden

    def _folded(self, tokens_BNC: Tensor, grid: Grid) -> Tensor:
        out, side = self.out_grid(grid), self.window
        windows = tokens_BNC.reshape(len(tokens_BNC), out.h, side, out.w, side, self.in_dim)
        folded_dim = side**2 * self.in_dim
        return windows.transpose(2, 3).reshape(len(tokens_BNC), out.num_tokens, folded_dim)

    def init_buffers(self) -> None:
        """Does nothing: there are no buffers."""

    def init_weights(self, generator: Generator | None = None) -> None:
        """Truncated normals of deviation ``fan_in ** -0.5``, biases zero, norm at identity."""
        draw_linears(self, generator)
