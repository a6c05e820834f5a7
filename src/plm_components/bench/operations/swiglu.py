"""The gate of an MLP: ``silu(gate) * up``."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Generator, Tensor
from torch.nn.functional import silu

from plm_components.bench.operation import Operation, Stimulus, Work
from plm_components.bench.operations.stimuli import drawn

# rows and channels: one row, odd ones, no power of two
_TRIALS = ((1, 33), (3, 40), (67, 130), (5, 257))
# an activation and a product; backward both again, its slope, and a product for each input
_FORWARD, _BACKWARD = 2, 5


def swiglu(
    name: str,
    *,
    rows: int,
    dim: int,
    dtype: torch.dtype,
    device: torch.device | str,
    backward: bool = False,
) -> Operation:
    """``silu(gate) * up`` of a gate and what it gates, side by side; with gradients of both.

    Args:
        name: What a model does with it, ``swiglu/prefill``.
        rows: Positions of all rows of the batch.
        dim: Channels between the two halves of the MLP.
        dtype: Of everything.
        device: Where it runs.
        backward: Whether gradients belong to it.

    Shapes:
        ``(rows, 2 * dim)``, the gate first -> ``(rows, dim)``.
    """
    where = torch.device(device)

    def draw(generator: Generator, stimulus: Stimulus) -> tuple[Tensor, ...]:
        return (drawn((rows, 2 * dim), generator, stimulus, dtype=dtype, device=where),)

    def trials() -> Iterator[Operation]:
        for few, odd in _TRIALS:
            yield swiglu(
                f"{name} (trial)", rows=few, dim=odd, dtype=dtype, device=where, backward=backward
            )

    elements = rows * dim
    flops = elements * (_FORWARD + (_BACKWARD if backward else 0))
    return Operation(
        name=name,
        kind=None,
        sizes={"rows": rows, "dim": dim},
        dtype=dtype,
        device=where,
        # gate and up in, one out; their gradients out and one in
        work=Work(float(flops), 3.0 * elements * dtype.itemsize * (2 if backward else 1)),
        draw=draw,
        exact=lambda gate_up: _gated(*gate_up.double().chunk(2, -1)),
        plain=lambda gate_up: _plain(*gate_up.float().chunk(2, -1)).to(dtype),
        backward=backward,
        differentiable=(0,),
        trials=trials,
        oracle="swiglu/plain",
    )


def _gated(gate: Tensor, up: Tensor) -> Tensor:
    return gate / (1 + (-gate).exp()) * up


def _plain(gate: Tensor, up: Tensor) -> Tensor:
    return silu(gate) * up
