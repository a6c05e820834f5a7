"""Rotary position embedding in a decoder's half-split layout."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Generator, Tensor

from plm_components.bench.operation import Operation, Stimulus, Work
from plm_components.bench.operations.stimuli import drawn

# batch, query and key heads, length, channels of a head: one position, odd lengths and counts
_TRIALS = ((1, 4, 4, 1, 24), (2, 3, 1, 17, 16), (3, 10, 5, 67, 96), (1, 9, 3, 5, 256))
_LARGEST_ANGLE = 10_000.0


def rotary(
    name: str,
    *,
    batch: int,
    num_heads: int,
    num_kv_heads: int,
    length: int,
    head_dim: int,
    dtype: torch.dtype,
    device: torch.device | str,
    backward: bool = False,
) -> Operation:
    """Turns channel ``j`` of queries and keys with channel ``j + head_dim/2``.

    Three operations a channel; backward turns the gradients back, by the same tables.

    Args:
        name: What a model does with it, ``rotary/prefill``.
        batch: Rows.
        num_heads: Query heads.
        num_kv_heads: Key heads.
        length: Positions.
        head_dim: Channels of one head, even.
        dtype: Of queries and keys; the tables are fp32.
        device: Where it runs.
        backward: Whether the gradients of queries and keys belong to it.

    Shapes:
        ``(B,H,L,h), (B,G,L,h), (B,L,h), (B,L,h)`` -> ``(B,H,L,h), (B,G,L,h)``.
    """
    where = torch.device(device)
    shapes = [(batch, heads, length, head_dim) for heads in (num_heads, num_kv_heads)]

    def draw(generator: Generator, stimulus: Stimulus) -> tuple[Tensor, ...]:
        q, k = (drawn(one, generator, stimulus, dtype=dtype, device=where) for one in shapes)
        half = (batch, length, head_dim // 2)
        angles = torch.rand(half, generator=generator, device=generator.device) * _LARGEST_ANGLE
        angles = torch.cat((angles, angles), -1).to(where)
        return q, k, angles.cos(), angles.sin()

    def exact(q: Tensor, k: Tensor, cos: Tensor, sin: Tensor) -> tuple[Tensor, ...]:
        return tuple(_turned(x.double(), cos.double(), sin.double()) for x in (q, k))

    def plain(q: Tensor, k: Tensor, cos: Tensor, sin: Tensor) -> tuple[Tensor, ...]:
        return tuple(_turned(x.float(), cos, sin).to(dtype) for x in (q, k))

    def trials() -> Iterator[Operation]:
        for rows, heads, kv_heads, positions, channels in _TRIALS:
            yield rotary(
                f"{name} (trial)",
                batch=rows,
                num_heads=heads,
                num_kv_heads=kv_heads,
                length=positions,
                head_dim=channels,
                dtype=dtype,
                device=where,
                backward=backward,
            )

    elements = batch * (num_heads + num_kv_heads) * length * head_dim
    tables = 2 * batch * length * head_dim * torch.float32.itemsize
    passes = 2 if backward else 1
    return Operation(
        name=name,
        kind=None,
        sizes={
            "batch": batch,
            "num_heads": num_heads,
            "num_kv_heads": num_kv_heads,
            "length": length,
            "head_dim": head_dim,
        },
        dtype=dtype,
        device=where,
        work=Work(3.0 * elements * passes, 2.0 * elements * dtype.itemsize * passes + tables),
        draw=draw,
        exact=exact,
        plain=plain,
        backward=backward,
        differentiable=(0, 1),
        trials=trials,
        oracle="rotary/plain",
    )


def _turned(x_BHLh: Tensor, cos_BLh: Tensor, sin_BLh: Tensor) -> Tensor:
    """Pairs as complex numbers, turned by multiplication."""
    half = x_BHLh.shape[-1] // 2
    pairs = torch.complex(x_BHLh[..., :half], x_BHLh[..., half:])
    turn = torch.complex(cos_BLh[..., :half], sin_BLh[..., :half])[:, None]
    turned = pairs * turn
    return torch.cat((turned.real, turned.imag), -1)
