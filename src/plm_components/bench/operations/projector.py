"""PLM's projector as a whole: two layers and a mean over windows, weights among the inputs."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from plm_components.bench.operation import Operation, Stimulus, Work
from plm_components.bench.operations.stimuli import drawn
from plm_components.contracts import Grid
from plm_components.testing.oracles import plain_pooling, pooling_oracle

# as published: the mean behind the second layer
ORACLE = "projector/avg_pool_mlp (order=pool_last, pooling=adaptive)"
# in the order of the inputs behind the tokens
WEIGHTS = ("linear_1.weight", "linear_1.bias", "linear_2.weight", "linear_2.bias")
# tiles, rows and columns of windows, widths: one window, wide, tall, widths that do not divide.
# Sums over fewer than a hundred tokens would be a draw of luck: what pools last adds four times as
# many for the gradient of W2, and its largest error is up to 3 times that of 30 tokens, 1.3 of 144
_TRIALS = ((160, 1, 1, 72, 96), (2, 9, 8, 130, 257), (1, 9, 16, 514, 257), (4, 16, 4, 40, 130))


def weight_shapes(in_dim: int, out_dim: int) -> dict[str, tuple[int, ...]]:
    """Shapes of the weights, by name."""
    shapes = ((out_dim, in_dim), (out_dim,), (out_dim, out_dim), (out_dim,))
    return dict(zip(WEIGHTS, shapes, strict=True))


def projector(
    name: str,
    *,
    batch: int,
    grid: Grid,
    in_dim: int,
    out_dim: int,
    pool: int = 2,
    dtype: torch.dtype,
    device: torch.device | str,
    backward: bool = False,
) -> Operation:
    """``mean(W2 gelu(W1 x + b1) + b2)`` over windows, with gradients of tokens and weights.

    A mean is linear, so the second layer need only see a ``pool**2``-th of the tokens: that is
    what is priced, and who runs it on all of them does more than the least.

    Args:
        name: What a model does with it, ``projector/36tiles``.
        batch: Tiles or frames.
        grid: Tokens of a tile; its sides divide by ``pool``.
        in_dim: Channels of a token.
        out_dim: Channels of an embedding, and between the layers.
        pool: Side of the window, in tokens.
        dtype: Of everything.
        device: Where it runs.
        backward: Whether gradients belong to it.

    Shapes:
        ``(B, h*w, in), (out, in), (out,), (out, out), (out,)`` -> ``(B, (h/pool)*(w/pool), out)``.
    """
    where = torch.device(device)
    shapes = tuple(weight_shapes(in_dim, out_dim).values())
    tokens = (batch, grid.num_tokens, in_dim)

    def draw(generator: Generator, stimulus: Stimulus) -> tuple[Tensor, ...]:
        x = drawn(tokens, generator, stimulus, dtype=dtype, device=where)
        # weights as trained ones are: outputs about as large as inputs
        scaled = (
            drawn(shape, generator, "normal", dtype=torch.float32, device=where) * shape[-1] ** -0.5
            for shape in shapes
        )
        return x, *(weight.to(dtype) for weight in scaled)

    def exact(x: Tensor, *weights: Tensor) -> Tensor:
        w1, b1, w2, b2 = (weight.double() for weight in weights)
        full = F.linear(F.gelu(F.linear(x.double(), w1, b1)), w2, b2)
        return pooling_oracle(full, grid, pool)

    def plain(x: Tensor, *weights: Tensor) -> Tensor:
        w1, b1, w2, b2 = weights
        # products in the tested dtype, as a model runs them, and the mean before the second: behind
        # it a mean averages that product's roundings away, which nobody owes who does less work
        pooled = plain_pooling(F.linear(x, w1, b1), grid, pool, "gelu")
        return F.linear(pooled, w2, b2)

    def trials() -> Iterator[Operation]:
        for tiles, rows, columns, odd_in, odd_out in _TRIALS:
            yield projector(
                f"{name} (trial)",
                batch=tiles,
                grid=Grid(rows * pool, columns * pool),
                in_dim=odd_in,
                out_dim=odd_out,
                pool=pool,
                dtype=dtype,
                device=where,
                backward=backward,
            )

    return Operation(
        name=name,
        kind="projector",
        sizes={
            "batch": batch,
            "grid_height": grid.h,
            "grid_width": grid.w,
            "in_dim": in_dim,
            "out_dim": out_dim,
            "pool": pool,
        },
        dtype=dtype,
        device=where,
        work=_work(batch * grid.num_tokens, in_dim, out_dim, pool, dtype, backward),
        draw=draw,
        exact=exact,
        plain=plain,
        backward=backward,
        differentiable=tuple(range(5)),
        trials=trials,
        oracle=ORACLE,
    )


def _work(
    tokens: int, in_dim: int, out_dim: int, pool: int, dtype: torch.dtype, backward: bool
) -> Work:
    pooled = tokens // pool**2
    products = 2.0 * (tokens * in_dim * out_dim + pooled * out_dim**2)
    # the activation and the mean, once a token and channel each
    between = 2.0 * tokens * out_dim
    weights = in_dim * out_dim + out_dim**2 + 2 * out_dim
    moved = float((tokens * in_dim + weights + pooled * out_dim) * dtype.itemsize)
    if backward:
        # of both factors of each product
        return Work(3 * products + 2 * between, 2 * moved)
    return Work(products + between, moved)
