"""Parts that break promises on purpose, and small honest ones with nested attention."""

from __future__ import annotations

from typing import Annotated, Any

import torch
from torch import Tensor, nn

from plm_components.contracts import (
    Attention,
    AttentionSupport,
    Causal,
    DefaultPart,
    Documents,
    Grid,
)


class _Plain(nn.Module):
    def __init__(self, in_dim: int, out_dim: int) -> None:
        super().__init__()
        self.linear = nn.Linear(in_dim, out_dim)

    def num_tokens(self, grid: Grid) -> int:
        return grid.num_tokens

    def out_grid(self, grid: Grid) -> Grid | None:
        return grid

    def forward(self, tokens_BNC: Tensor, grid: Grid) -> Tensor:
        out: Tensor = self.linear(tokens_BNC)
        return out

    def init_buffers(self) -> None: ...

    def init_weights(self, generator: torch.Generator | None = None) -> None:
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)


class AttendingProjector(_Plain):
    """Nested attention without num_kv_heads or head_dim: the width is its out_dim."""

    def __init__(
        self,
        in_dim: int,
        out_dim: int,
        *,
        num_heads: int = 4,
        attention: Annotated[Attention, DefaultPart("sdpa")],
    ) -> None:
        super().__init__(in_dim, out_dim)
        self.attention = attention


class HeadlessProjector(_Plain):
    """Nests attention and has no option it could be wired from."""

    def __init__(
        self, in_dim: int, out_dim: int, *, attention: Annotated[Attention, DefaultPart("sdpa")]
    ) -> None:
        super().__init__(in_dim, out_dim)
        self.attention = attention


class StackedProjector(_Plain):
    """Repeats another projector by a factory, and has an optional slot."""

    def __init__(
        self,
        in_dim: int,
        out_dim: int,
        *,
        num_layers: int = 3,
        dim: int = 8,
        attention: Attention | None = None,
    ) -> None:
        super().__init__(in_dim, out_dim)
        self.num_layers, self.attention = num_layers, attention


class FailingProjector(_Plain):
    def __init__(self, in_dim: int, out_dim: int, *, depth: int = 2) -> None:
        super().__init__(in_dim, out_dim)
        if depth > 1:
            raise ValueError(f"depth {depth} is too deep")


class NarrowProjector(_Plain):
    """Promises what its forward does not do: one token of each two, one channel short."""

    def forward(self, tokens_BNC: Tensor, grid: Grid) -> Tensor:
        return super().forward(tokens_BNC, grid)[:, ::2, :-1]


class LyingGridProjector(_Plain):
    def out_grid(self, grid: Grid) -> Grid | None:
        return Grid(grid.h + 1, grid.w)


class CrashingProjector(_Plain):
    def forward(self, tokens_BNC: Tensor, grid: Grid) -> Tensor:
        return tokens_BNC.reshape(7, 11, 13)


class HalfProjector(nn.Module):
    """Lacks most of what a projector promises."""

    def __init__(self, in_dim: int, out_dim: int) -> None:
        super().__init__()

    def num_tokens(self, grid: Grid) -> int:
        return 1


class ForgetfulProjector(_Plain):
    """Leaves a parameter out of init_weights and a table out of init_buffers."""

    def __init__(self, in_dim: int, out_dim: int) -> None:
        super().__init__(in_dim, out_dim)
        self.scale = nn.Parameter(torch.ones(out_dim))
        self.register_buffer("table", torch.arange(4.0), persistent=False)


class TrainingOnlyAttention:
    """No cache, no grouped queries, float32 only."""

    support = AttentionSupport(
        masks=frozenset({Causal, Documents}),
        dtypes=frozenset({torch.float32}),
        devices=frozenset({"cpu", "meta"}),
        gqa=False,
        backward=frozenset({"cpu"}),
        head_dims=frozenset({64, 128}),
    )

    def __init__(self, num_heads: int, num_kv_heads: int, head_dim: int) -> None:
        self.num_heads, self.num_kv_heads, self.head_dim = num_heads, num_kv_heads, head_dim

    def __call__(self, q: Tensor, k: Tensor, v: Tensor, mask: Any) -> Tensor:
        return q


class WrongSizeTiler:
    def __init__(self, tile_size: int) -> None:
        self.tile_size = tile_size + 1

    def plan(self, width: int, height: int) -> Any:
        return None

    def max_tiles_per_image(self) -> int:
        return 1

    def __call__(self, image: Any) -> Any:
        return None
