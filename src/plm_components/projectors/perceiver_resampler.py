"""Learned queries attend to the tokens of a tile: a fixed number of embeddings from any grid."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from plm_components.contracts import Grid
from plm_components.errors import ContractError
from plm_components.projectors.tokens import draw_linears, require_positive, require_tokens

_ADDRESS = "projector/perceiver_resampler"


class PerceiverResamplerProjector(nn.Module):
    """Resamples a tile to ``num_queries`` embeddings by cross-attention.

    Each layer lets the queries attend to the tokens *and* to themselves, then applies an MLP; all
    of it pre-norm, in the width of the decoder. The tokens carry whatever position the vision
    encoder gave them, and none is added here, as in Flamingo on single frames.

    Args:
        in_dim: Channels of a vision token.
        out_dim: Channels of a decoder embedding.
        num_queries: Embeddings a tile becomes.
        num_layers: Layers of the resampler.
        num_heads: Attention heads; must divide ``out_dim``.
        mlp_ratio: Width of the MLP's hidden layer, in multiples of ``out_dim``.

    Shapes:
        tokens_BNC ``(B, h*w, in_dim)`` -> ``(B, num_queries, out_dim)``, for every grid.

    Raises:
        ShapeError: the tokens are not the grid.
        SpecError: an option is less than 1.
        ContractError: ``num_heads`` does not divide ``out_dim``.

    Source:
        Flamingo, arXiv 2204.14198, section 2.1.
    """

    compiles: ClassVar[bool] = True
    __plm_kind__: ClassVar[str] = "projector"

    def __init__(
        self,
        in_dim: int,
        out_dim: int,
        *,
        num_queries: int = 64,
        num_layers: int = 2,
        num_heads: int = 8,
        mlp_ratio: int = 4,
    ) -> None:
        super().__init__()
        require_positive(
            _ADDRESS,
            num_queries=num_queries,
            num_layers=num_layers,
            num_heads=num_heads,
            mlp_ratio=mlp_ratio,
        )
        if out_dim % num_heads:
            raise ContractError(
                f"{out_dim} channels cannot be split into {num_heads} heads.",
                where=f"{_ADDRESS}, option num_heads",
                expected=f"a divisor of the decoder's width {out_dim}",
                fix="choose another projector.num_heads",
            )
        self.in_dim = in_dim
        self.num_queries = num_queries
        self.queries = nn.Parameter(torch.empty(num_queries, out_dim))
        self.input = nn.Linear(in_dim, out_dim)
        self.layers = nn.ModuleList(
            _ResamplerLayer(out_dim, num_heads, mlp_ratio) for _ in range(num_layers)
        )
        self.norm = nn.LayerNorm(out_dim)
        self.init_weights()

    def num_tokens(self, grid: Grid) -> int:
        """Embeddings a tile becomes, whatever its grid."""
        return self.num_queries

    def out_grid(self, grid: Grid) -> None:
        """None: the embeddings have no rows and columns."""

    def forward(self, tokens_BNC: Tensor, grid: Grid) -> Tensor:
        """``(B, h*w, in_dim)`` -> ``(B, num_queries, out_dim)``."""
        require_tokens(_ADDRESS, tokens_BNC, grid, self.in_dim)
        context_BND = self.input(tokens_BNC)
        x_BMD = self.queries.expand(len(tokens_BNC), -1, -1)
        for layer in self.layers:
            x_BMD = layer(x_BMD, context_BND)
        resampled_BMD: Tensor = self.norm(x_BMD)
        return resampled_BMD

    def init_buffers(self) -> None:
        """Does nothing: there are no buffers."""

    def init_weights(self, generator: Generator | None = None) -> None:
        """Truncated normals of deviation ``fan_in ** -0.5``, biases zero, queries of 0.02."""
        draw_linears(self, generator)
        nn.init.trunc_normal_(self.queries, std=0.02, generator=generator)


class _ResamplerLayer(nn.Module):
    def __init__(self, dim: int, num_heads: int, mlp_ratio: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.norm_query = nn.LayerNorm(dim)
        self.norm_context = nn.LayerNorm(dim)
        self.q_proj = nn.Linear(dim, dim, bias=False)
        self.kv_proj = nn.Linear(dim, 2 * dim, bias=False)
        self.o_proj = nn.Linear(dim, dim, bias=False)
        self.norm_mlp = nn.LayerNorm(dim)
        self.fc1 = nn.Linear(dim, mlp_ratio * dim)
        self.fc2 = nn.Linear(mlp_ratio * dim, dim)

    def forward(self, x_BMD: Tensor, context_BND: Tensor) -> Tensor:
        x_BMD = x_BMD + self._attended(self.norm_query(x_BMD), self.norm_context(context_BND))
        hidden_BMD: Tensor = self.fc2(F.gelu(self.fc1(self.norm_mlp(x_BMD))))
        return x_BMD + hidden_BMD

    def _attended(self, query_BMD: Tensor, context_BND: Tensor) -> Tensor:
        seen_BSD = torch.cat((context_BND, query_BMD), dim=1)
        key_BSD, value_BSD = self.kv_proj(seen_BSD).chunk(2, dim=-1)
        mixed_BHMh = F.scaled_dot_product_attention(
            self._heads(self.q_proj(query_BMD)), self._heads(key_BSD), self._heads(value_BSD)
        )
        out_BMD: Tensor = self.o_proj(mixed_BHMh.transpose(1, 2).flatten(2))
        return out_BMD

    def _heads(self, x_BLD: Tensor) -> Tensor:
        batch, length, dim = x_BLD.shape
        return x_BLD.view(batch, length, self.num_heads, dim // self.num_heads).transpose(1, 2)
