"""Means over windows of a token grid, after an activation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import torch
from torch import Generator, Tensor

from plm_components.bench.operation import Operation, Stimulus, Work
from plm_components.bench.operations.stimuli import drawn
from plm_components.contracts import Grid
from plm_components.testing.oracles import plain_pooling, pooling_oracle

ORACLE = "pooling/adaptive"
Activation = Literal["none", "gelu"]
# tiles, rows and columns of windows, channels: one window, wide, tall, odd, no power of two
_TRIALS = ((1, 1, 1, 130), (2, 3, 5, 24), (3, 7, 2, 72), (1, 1, 9, 257))


def pooling(
    name: str,
    *,
    batch: int,
    grid: Grid,
    channels: int,
    window: int = 2,
    activation: Activation = "gelu",
    dtype: torch.dtype,
    device: torch.device | str,
    backward: bool = False,
) -> Operation:
    """Means over ``window x window`` tokens, after an exact erf GELU if asked.

    One operation a token and channel is priced for the mean, and one for the activation; backward
    costs the same again.

    Args:
        name: What a model does with it, ``pooling/projector``.
        batch: Tiles or frames.
        grid: Tokens of a tile; its sides divide by ``window``.
        channels: Of a token.
        window: Side of the window, in tokens.
        activation: Before the mean.
        dtype: Of the tokens.
        device: Where it runs.
        backward: Whether the gradient of the tokens belongs to it.

    Shapes:
        ``(B, h*w, C)`` -> ``(B, (h/window)*(w/window), C)``.
    """
    where = torch.device(device)
    shape = (batch, grid.num_tokens, channels)

    def draw(generator: Generator, stimulus: Stimulus) -> tuple[Tensor, ...]:
        return (drawn(shape, generator, stimulus, dtype=dtype, device=where),)

    def trials() -> Iterator[Operation]:
        for tiles, rows, columns, odd_channels in _TRIALS:
            yield pooling(
                f"{name} (trial)",
                batch=tiles,
                grid=Grid(rows * window, columns * window),
                channels=odd_channels,
                window=window,
                activation=activation,
                dtype=dtype,
                device=where,
                backward=backward,
            )

    return Operation(
        name=name,
        kind="pooling",
        sizes={
            "batch": batch,
            "grid_height": grid.h,
            "grid_width": grid.w,
            "channels": channels,
            "window": window,
            "activation": activation,
        },
        dtype=dtype,
        device=where,
        work=_work(torch.Size(shape).numel(), window, activation, dtype, backward),
        draw=draw,
        exact=lambda x: pooling_oracle(x, grid, window, activation),
        plain=lambda x: plain_pooling(x, grid, window, activation),
        backward=backward,
        differentiable=(0,),
        trials=trials,
        oracle=ORACLE,
    )


def _work(
    elements: int, window: int, activation: Activation, dtype: torch.dtype, backward: bool
) -> Work:
    flops = elements * (1 if activation == "none" else 2)
    pooled = elements // window**2
    moved = elements + pooled
    if backward:
        # without an activation the gradient does not look at the tokens again; read once anyway
        return Work(2.0 * flops, 2.0 * moved * dtype.itemsize)
    return Work(float(flops), float(moved * dtype.itemsize))
