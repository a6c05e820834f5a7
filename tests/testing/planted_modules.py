"""Parts with weights, one bug each. What is not the bug is inherited from a part that conforms."""

from __future__ import annotations

from typing import Annotated, Any

import torch
from torch import Generator, Tensor, nn

from plm_components.contracts import (
    Attention,
    Causal,
    CausalCached,
    DefaultPart,
    Documents,
    Full,
    Grid,
    Mask,
)
from plm_components.decoder_blocks.prenorm_gqa_swiglu import PrenormGQASwiGLUBlock
from plm_components.decoders.llama import LlamaDecoder
from plm_components.projectors.avg_pool_mlp import AvgPoolMLPProjector
from plm_components.projectors.linear import LinearProjector
from plm_components.vision_encoders.timm import TimmVisionEncoder


class WiredBehindStar(LinearProjector):
    """(B, N, C) -> (B, N, D), but the assembler cannot pass out_dim by place."""

    def __init__(self, in_dim: int, *, out_dim: int = 64) -> None:
        super().__init__(in_dim, out_dim)


class NoType(LinearProjector):
    """(B, N, C) -> (B, N, D), with an option of no type."""

    def __init__(self, in_dim: int, out_dim: int, *, scale=1.0) -> None:  # type: ignore[no-untyped-def]
        super().__init__(in_dim, out_dim)


class Swallows(LinearProjector):
    """(B, N, C) -> (B, N, D); a misspelt option passes unseen."""

    def __init__(self, in_dim: int, out_dim: int, **options: object) -> None:
        super().__init__(in_dim, out_dim)


class FailsToBuild(LinearProjector):
    """(B, N, C) -> (B, N, D), for one width only."""

    def __init__(self, in_dim: int, out_dim: int) -> None:
        raise ZeroDivisionError("division by zero")


class Undocumented(LinearProjector):
    pass


class FixedDevice(LinearProjector):
    """(B, N, C) -> (B, N, D), a tensor made on the CPU whatever is asked."""

    def __init__(self, in_dim: int, out_dim: int) -> None:
        super().__init__(in_dim, out_dim)
        self.register_buffer("one", torch.ones(1, device="cpu"))


class ForgottenBuffer(LinearProjector):
    """(B, N, C) -> (B, N, D), a table that init_buffers forgets."""

    def __init__(self, in_dim: int, out_dim: int) -> None:
        super().__init__(in_dim, out_dim)
        self.register_buffer("table", torch.ones(out_dim), persistent=False)

    def forward(self, tokens_BNC: Tensor, grid: Grid) -> Tensor:
        return super().forward(tokens_BNC, grid) * self.table


class StateElsewhere(LinearProjector):
    """(B, N, C) -> (B, N, D), a number drawn with the weights and saved nowhere."""

    gain = 1.0

    def init_weights(self, generator: Generator | None = None) -> None:
        super().init_weights(generator)
        # seed 0 leaves it as it was built
        self.gain = 1.0 + (generator.initial_seed() if generator else 0)

    def forward(self, tokens_BNC: Tensor, grid: Grid) -> Tensor:
        return super().forward(tokens_BNC, grid) * self.gain


class HalfInitialised(LinearProjector):
    """(B, N, C) -> (B, N, D), a bias that init_weights leaves alone."""

    def init_weights(self, generator: Generator | None = None) -> None:
        nn.init.normal_(self.linear.weight, generator=generator)


class GlobalGenerator(LinearProjector):
    """(B, N, C) -> (B, N, D), weights drawn from the global generator."""

    def init_weights(self, generator: Generator | None = None) -> None:
        super().init_weights(generator)
        nn.init.normal_(self.linear.bias)


class Detached(AvgPoolMLPProjector):
    """(B, N, C) -> (B, M, D), the first layer cut off from gradients."""

    def forward(self, tokens_BNC: Tensor, grid: Grid) -> Tensor:
        with torch.no_grad():
            super().forward(tokens_BNC, grid)
            hidden = self.linear_1(tokens_BNC)
        return self.linear_2(self.pooling(hidden, grid, self.pool, "gelu"))


class Widens(LinearProjector):
    """(B, N, C) -> (B, N, D), in fp32 whatever comes in."""

    def forward(self, tokens_BNC: Tensor, grid: Grid) -> Tensor:
        return super().forward(tokens_BNC, grid).float()


class HalfInside(LinearProjector):
    """(B, N, C) -> (B, N, D), as an autocast left on makes it."""

    def forward(self, tokens_BNC: Tensor, grid: Grid) -> Tensor:
        out_BMD = super().forward(tokens_BNC, grid)
        if out_BMD.dtype != torch.float32:
            return out_BMD
        return out_BMD + (out_BMD.bfloat16() - out_BMD).detach()


class BreaksGraph(LinearProjector):
    """(B, N, C) -> (B, N, D), and says that it compiles."""

    def forward(self, tokens_BNC: Tensor, grid: Grid) -> Tensor:
        torch._dynamo.graph_break()
        return super().forward(tokens_BNC, grid)


class MixesRows(LinearProjector):
    """(B, N, C) -> (B, N, D), centred over the batch."""

    def forward(self, tokens_BNC: Tensor, grid: Grid) -> Tensor:
        tokens_BND = super().forward(tokens_BNC, grid)
        return tokens_BND - 0.1 * tokens_BND.mean(0)


class Restless(LinearProjector):
    """(B, N, C) -> (B, N, D), with a noise nobody asked for."""

    def forward(self, tokens_BNC: Tensor, grid: Grid) -> Tensor:
        tokens_BND = super().forward(tokens_BNC, grid)
        return tokens_BND + 1e-6 * torch.rand_like(tokens_BND)


class SquareCount(AvgPoolMLPProjector):
    """(B, N, C) -> (B, M, D), counted as if every grid were square."""

    def num_tokens(self, grid: Grid) -> int:
        return (super().out_grid(grid).h) ** 2

    def out_grid(self, grid: Grid) -> None:  # type: ignore[override]
        super().out_grid(grid)


class WrongOutGrid(AvgPoolMLPProjector):
    """(B, N, C) -> (B, M, D), on large grids pooled along rows only, if one believes out_grid."""

    def num_tokens(self, grid: Grid) -> int:
        return super().out_grid(grid).num_tokens

    def out_grid(self, grid: Grid) -> Grid:
        out = super().out_grid(grid)
        return out if grid.num_tokens < 64 else Grid(out.h, grid.w)


class Mirrored(LinearProjector):
    """(B, N, C) -> (B, N, D), each row of the grid backwards."""

    def forward(self, tokens_BNC: Tensor, grid: Grid) -> Tensor:
        tokens_BhwD = super().forward(tokens_BNC, grid).unflatten(1, tuple(grid))
        return tokens_BhwD.flip(2).flatten(1, 2)


class TakesAnything(LinearProjector):
    """(B, N, C) -> (B, N, D), whatever the grid says."""

    def forward(self, tokens_BNC: Tensor, grid: Grid) -> Tensor:
        return self.linear(tokens_BNC)


class LooksAtValues(LinearProjector):
    """(B, N, C) -> (B, N, D), but not on a device without values."""

    compiles = False

    def forward(self, tokens_BNC: Tensor, grid: Grid) -> Tensor:
        if tokens_BNC.abs().max().item() == 0:
            return super().forward(tokens_BNC + 0, grid)
        return super().forward(tokens_BNC, grid)


class KeepsPrefix(TimmVisionEncoder):
    """(B, 3, H, W) -> (B, h*w + 1, C), a class token still in front."""

    def forward(self, pixels_B3HW: Tensor) -> Tensor:
        tokens = super().forward(pixels_B3HW)
        return torch.cat([tokens.mean(1, keepdim=True), tokens], 1)


class SwappedGrid(TimmVisionEncoder):
    """(B, 3, H, W) -> (B, h*w, C), h and w swapped."""

    def grid(self, height: int, width: int) -> Grid:
        rows, columns = super().grid(height, width)
        return Grid(columns, rows)


class ColumnMajor(TimmVisionEncoder):
    """(B, 3, H, W) -> (B, h*w, C), column after column."""

    def forward(self, pixels_B3HW: Tensor) -> Tensor:
        tokens = super().forward(pixels_B3HW)
        grid = self.grid(*pixels_B3HW.shape[2:])
        return tokens.unflatten(1, tuple(grid)).transpose(1, 2).flatten(1, 2)


class ZeroStd(TimmVisionEncoder):
    """(B, 3, H, W) -> (B, h*w, C), divided by nothing."""

    def __init__(
        self,
        *,
        model: str,
        image_size: int,
        layer: int = -1,
        model_args: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(model=model, image_size=image_size, layer=layer, model_args=model_args)
        self.std = (0.5, 0.0, 0.5)


class NoLayer(TimmVisionEncoder):
    """(B, 3, H, W) -> (B, h*w, C), always of the last layer."""

    def __init__(self, *, model: str, image_size: int, model_args: dict[str, Any]) -> None:
        super().__init__(model=model, image_size=image_size, model_args=model_args)


class ForgetsLimit(LlamaDecoder):
    """(B, L, D) -> (B, L, D), how long a request may be is not known."""

    def __getattribute__(self, name: str) -> Any:
        if name == "max_positions":
            raise AttributeError(name)
        return super().__getattribute__(name)


class MixesLogits(LlamaDecoder):
    """(B, L, D) -> (B, L, V), logits that need all positions."""

    def logits(self, hidden_BLD: Tensor) -> Tensor:
        return super().logits(hidden_BLD - 0.1 * hidden_BLD.mean(1, keepdim=True))


class NarrowLogits(LlamaDecoder):
    """(B, L, D) -> (B, L, V - 1)."""

    def logits(self, hidden_BLD: Tensor) -> Tensor:
        return super().logits(hidden_BLD)[..., :-1]


class LongSight(LlamaDecoder):
    """(B, L, D) -> (B, L, D), which from nine positions on leaks the future."""

    def forward(self, x_BLD: Tensor, **rest: Any) -> Tensor:
        if x_BLD.shape[1] >= 9 and rest.get("cache") is None and isinstance(rest["mask"], Causal):
            # not when documents or a cache are compared with it: only the probe is as long
            hidden = super().forward(x_BLD, **rest)
            return hidden + (x_BLD.abs().max() > 5) * hidden.mean(1, keepdim=True)
        return super().forward(x_BLD, **rest)


class _Wrapped:
    """A cache, and one method of it replaced."""

    def __init__(self, cache: Any) -> None:
        self._cache = cache

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cache, name)


class _EvenTruncate(_Wrapped):
    def truncate(self, lengths: int | Tensor) -> None:
        longest = lengths if isinstance(lengths, int) else int(lengths.max())
        self._cache.truncate(longest)


class _DeafTruncate(_Wrapped):
    def truncate(self, lengths: int | Tensor) -> None:
        if isinstance(lengths, Tensor):
            self._cache.truncate(lengths)


class _SortedSelect(_Wrapped):
    def select(self, rows: Tensor) -> None:
        self._cache.select(rows.sort().values)


class _Weightless(_Wrapped):
    nbytes = 0


class _CacheOf(LlamaDecoder):
    """(B, L, D) -> (B, L, D)."""

    wrap: type[_Wrapped]

    def new_cache(self, *args: Any) -> Any:
        return self.wrap(super().new_cache(*args))


class EvenTruncate(_CacheOf):
    """(B, L, D) -> (B, L, D), all rows cut to the longest."""

    wrap = _EvenTruncate


class DeafTruncate(_CacheOf):
    """(B, L, D) -> (B, L, D), one number for all rows is ignored."""

    wrap = _DeafTruncate


class SortedSelect(_CacheOf):
    """(B, L, D) -> (B, L, D), rows in the order of the cache, not the one asked."""

    wrap = _SortedSelect


class Weightless(_CacheOf):
    """(B, L, D) -> (B, L, D), a cache that says it costs nothing."""

    wrap = _Weightless


class Positionless(LlamaDecoder):
    """(B, L, D) -> (B, L, D), consecutive positions whatever is said."""

    def forward(self, x_BLD: Tensor, *, positions_BL: Tensor, **rest: Any) -> Tensor:
        steps = torch.arange(x_BLD.shape[1])
        return super().forward(x_BLD, positions_BL=positions_BL[:, :1] + steps, **rest)


class Attends(PrenormGQASwiGLUBlock):
    """(B, L, D) -> (B, L, D)."""

    def __init__(
        self,
        dim: int,
        layer_index: int,
        *,
        num_heads: int,
        num_kv_heads: int,
        ffn_dim: int,
        attention: Annotated[Attention, DefaultPart("sdpa")],
    ) -> None:
        super().__init__(
            dim,
            layer_index,
            num_heads=num_heads,
            num_kv_heads=num_kv_heads,
            ffn_dim=ffn_dim,
            attention=self.changed(attention),
        )

    def changed(self, attention: Any) -> Any:
        return attention


class TwoWayBlock(Attends):
    """(B, L, D) -> (B, L, D), from nine positions on in both directions."""

    def changed(self, attention: Any) -> Any:
        def attend(q: Tensor, k: Tensor, v: Tensor, mask: Mask) -> Tensor:
            long = isinstance(mask, Causal) and q.shape[2] >= 9
            return attention(q, k, v, Full() if long else mask)

        return attend


class BlindToDocuments(Attends):
    """(B, L, D) -> (B, L, D), documents run together."""

    def changed(self, attention: Any) -> Any:
        def attend(q: Tensor, k: Tensor, v: Tensor, mask: Mask) -> Tensor:
            return attention(q, k, v, Causal() if isinstance(mask, Documents) else mask)

        return attend


class BlindToLengths(Attends):
    """(B, L, D) -> (B, L, D), every row taken to be as full as the fullest."""

    def changed(self, attention: Any) -> Any:
        def attend(q: Tensor, k: Tensor, v: Tensor, mask: Mask) -> Tensor:
            if isinstance(mask, CausalCached):
                mask = CausalCached(mask.lengths_B.max().expand_as(mask.lengths_B))
            return attention(q, k, v, mask)

        return attend


class Interleaved(Attends):
    """(B, L, D) -> (B, L, D), neighbours turned in pairs by tables of the other layout."""

    def _attend(self, y_BLD: Tensor, rotary: Any, mask: Mask, cache: Any) -> Tensor:
        cos, sin = (table[:, None] for table in rotary)

        def turn(x: Tensor) -> Tensor:
            paired = torch.stack([-x[..., 1::2], x[..., ::2]], -1).flatten(-2)
            return (x * cos + paired * sin).to(x.dtype)

        q, k = turn(self._heads(self.q_proj(y_BLD))), turn(self._heads(self.k_proj(y_BLD)))
        v = self._heads(self.v_proj(y_BLD))
        if cache is not None:
            k, v, _ = cache.append(k, v)
        return self.o_proj(self.attention(q, k, v, mask).transpose(1, 2).flatten(2))
