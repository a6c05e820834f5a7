"""The root-mean-square norm."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Generator, Tensor

from plm_components.bench.operation import Operation, Stimulus, Work
from plm_components.bench.operations.stimuli import drawn

# rows and channels: one row, odd ones, no power of two, more channels than a block holds
_TRIALS = ((1, 33), (3, 40), (67, 130), (5, 257), (2, 5120))
# square and sum, scale, weight; the gradient of the input takes six, of the weight two
_FORWARD, _BACKWARD = 4, 8


def rms_norm(
    name: str,
    *,
    rows: int,
    dim: int,
    eps: float = 1e-5,
    dtype: torch.dtype,
    device: torch.device | str,
    backward: bool = False,
) -> Operation:
    """``weight * x / sqrt(mean(x^2) + eps)``, with gradients of x and weight.

    Args:
        name: What a model does with it, ``rms_norm/prefill``.
        rows: Positions of all rows of the batch.
        dim: Channels.
        eps: Added to the mean square.
        dtype: Of everything.
        device: Where it runs.
        backward: Whether gradients belong to it.

    Shapes:
        ``(rows, dim), (dim,)`` -> ``(rows, dim)``.
    """
    where = torch.device(device)

    def draw(generator: Generator, stimulus: Stimulus) -> tuple[Tensor, ...]:
        x = drawn((rows, dim), generator, stimulus, dtype=dtype, device=where)
        return x, drawn((dim,), generator, "normal", dtype=dtype, device=where)

    def trials() -> Iterator[Operation]:
        for few, odd in _TRIALS:
            yield rms_norm(
                f"{name} (trial)",
                rows=few,
                dim=odd,
                eps=eps,
                dtype=dtype,
                device=where,
                backward=backward,
            )

    moved = (2 * rows * dim + dim) * dtype.itemsize
    flops = rows * dim * (_FORWARD + (_BACKWARD if backward else 0))
    return Operation(
        name=name,
        kind=None,
        sizes={"rows": rows, "dim": dim, "eps": str(eps)},
        dtype=dtype,
        device=where,
        work=Work(float(flops), float(moved * (2 if backward else 1))),
        draw=draw,
        exact=lambda x, weight: _normed(x.double(), weight.double(), eps),
        plain=lambda x, weight: _normed(x.float(), weight.float(), eps).to(dtype),
        backward=backward,
        differentiable=(0, 1),
        trials=trials,
        oracle="rms_norm/plain",
    )


def _normed(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    return weight * x / (x.square().mean(-1, keepdim=True) + eps).sqrt()
