"""Pooled tokens that look at the whole tile, through gates that begin closed."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch
from torch import Generator, Tensor, nn

from plm_components.contracts import Attention, DefaultPart, Grid
from plm_components.errors import ShapeError, SpecError
from plm_gated_resampler.gated_layer import GatedLayer

_ADDRESS = "projector/gated_resampler"


class GatedResamplerProjector(nn.Module):
    """Averages windows, then lets each average draw detail from every token of the tile.

    A perceiver resampler begins as noise: free queries that have to learn where to look. Here the
    queries are the window averages, so an embedding has a place, and both halves of each layer
    stand behind a gate ``tanh(g)`` with ``g = 0``: an untrained resampler *is* a linear projection
    of the pooled tokens, and a model that was trained with one can go on from it. Grids of any size
    give their own number of embeddings.

    Args:
        in_dim: Channels of a vision token.
        out_dim: Channels of a decoder embedding.
        attention: Kernel that does the softmax; asked for Full masks only.
        pool: Side of the window that becomes one embedding, in tokens.
        num_layers: Gated layers.
        num_heads: Attention heads; must divide ``out_dim``.
        ffn_ratio: Width of a layer's MLP, in multiples of ``out_dim``.

    Shapes:
        tokens_BNC ``(B, h*w, in_dim)`` -> ``(B, h/pool * w/pool, out_dim)``.

    Raises:
        ShapeError: the tokens are not the grid, or a side does not divide by ``pool``.
        SpecError: an option is less than 1.

    Source:
        Gated cross-attention: Flamingo, arXiv 2204.14198, section 2.2. Queries that are pooled
        tokens of a coarse grid: TokenPacker, arXiv 2407.02392.
    """

    __plm_kind__: ClassVar[str] = "projector"

    def __init__(
        self,
        in_dim: int,
        out_dim: int,
        *,
        attention: Annotated[Attention, DefaultPart("sdpa")],
        pool: int = 2,
        num_layers: int = 2,
        num_heads: int = 8,
        ffn_ratio: int = 2,
    ) -> None:
        super().__init__()
        _require_positive(
            pool=pool, num_layers=num_layers, num_heads=num_heads, ffn_ratio=ffn_ratio
        )
        self.in_dim, self.pool = in_dim, pool
        self.input = nn.Linear(in_dim, out_dim)
        self.layers = nn.ModuleList(
            GatedLayer(in_dim, out_dim, ffn_ratio * out_dim, attention) for _ in range(num_layers)
        )

    def num_tokens(self, grid: Grid) -> int:
        """Embeddings a tile becomes."""
        return self.out_grid(grid).num_tokens

    def out_grid(self, grid: Grid) -> Grid:
        """The grid of windows."""
        if grid.h % self.pool or grid.w % self.pool:
            raise ShapeError(
                f"{grid.num_tokens} tokens cannot be pooled {self.pool}x{self.pool}.",
                where=f"{_ADDRESS}, input of forward (grid {grid})",
                expected=f"grid sides that divide by pool={self.pool}",
                fix=f"make image_size a multiple of patch_size * {self.pool}, "
                "or set projector.pool=1",
            )
        return Grid(grid.h // self.pool, grid.w // self.pool)

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
        h, w = self.out_grid(grid)
        windows_BhpwpC = torch.unflatten(tokens_BNC, 1, (h, self.pool, w, self.pool))
        x_BMD = self.input(windows_BhpwpC.mean((2, 4)).flatten(1, 2))
        for layer in self.layers:
            x_BMD = layer(x_BMD, tokens_BNC)
        embedded_BMD: Tensor = x_BMD
        return embedded_BMD

    def init_buffers(self) -> None:
        """Does nothing: there are no buffers."""

    def init_weights(self, generator: Generator | None = None) -> None:
        """Truncated normals of deviation ``fan_in ** -0.5``, biases zero; every gate closed."""
        for module in self.modules():
            if isinstance(module, nn.Linear):
                std = module.in_features**-0.5
                nn.init.trunc_normal_(
                    module.weight, std=std, a=-3 * std, b=3 * std, generator=generator
                )
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, nn.LayerNorm):
                module.reset_parameters()
            elif isinstance(module, GatedLayer):
                module.close_gates()


def _require_positive(**options: int) -> None:
    for name, value in options.items():
        if value < 1:
            raise SpecError(
                f"{name} is {value}.",
                where=f"{_ADDRESS}, option {name}",
                expected="an integer of at least 1",
                fix=f"set projector.{name} to 1 or more",
            )
