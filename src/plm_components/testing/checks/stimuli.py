"""Small inputs for the module kinds, and what a part makes of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any, TypeAlias

import torch
from torch import Tensor

from plm_components.contracts import Causal, Grid, Mask
from plm_components.errors import ShapeError
from plm_components.testing.outcome import Broken
from plm_components.testing.subject import Subject

Inputs: TypeAlias = tuple[Tensor, ...]

# square, wide, tall, odd; sides that divide by 2, 3 and 4 among them
_CHOSEN = ((12, 12), (4, 8), (6, 4), (8, 12), (6, 9), (3, 5), (2, 2), (1, 7), (7, 3))


def _drawn(count: int) -> Iterator[tuple[int, int]]:
    """Any sides, often with a common divisor; the same at every start."""
    draw = Random(0)
    for _ in range(count):
        step = draw.choice((1, 2, 3, 4, 6))
        yield step * draw.randint(1, 16 // step), step * draw.randint(1, 16 // step)


GRIDS = tuple(Grid(h, w) for h, w in (*_CHOSEN, *_drawn(8)))


def noise(
    *shape: int,
    seed: int = 0,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
) -> Tensor:
    """Standard normal, the same at every call and on every device."""
    drawn = torch.randn(*shape, generator=torch.Generator().manual_seed(seed))
    return drawn.to(device=device, dtype=dtype)


def token_ids(subject: Subject, part: Any, rows: int, length: int, seed: int = 0) -> Tensor:
    """``(rows, length)`` ids within the table."""
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(0, part.vocab_size, (rows, length), generator=generator)
    return ids.to(subject.device)


def positions(x_BLD: Tensor, start: int = 0) -> Tensor:
    """``(B, L)`` positions from ``start``, for the rows of a sequence."""
    rows, length = x_BLD.shape[:2]
    return torch.arange(start, start + length, device=x_BLD.device).expand(rows, length)


def rotary_tables(positions_BL: Tensor, head_dim: int) -> tuple[Tensor, Tensor]:
    """fp32 ``cos_BLh, sin_BLh`` in half-split layout, base 10,000; the same on every device."""
    frequencies = 10_000.0 ** (-torch.arange(0, head_dim, 2) / head_dim)
    angles_BLp = positions_BL.cpu()[..., None].float() * frequencies
    angles_BLh = torch.cat([angles_BLp, angles_BLp], -1)
    return angles_BLh.cos().to(positions_BL.device), angles_BLh.sin().to(positions_BL.device)


def accepted_grid(part: Any) -> Grid:
    """The first grid a projector takes."""
    for grid in GRIDS:
        try:
            part.num_tokens(grid)
        except ShapeError:
            continue
        return grid
    tried = ", ".join(map(str, GRIDS))
    raise Broken(f"num_tokens refuses every grid that was tried: {tried}")


@dataclass(frozen=True)
class Stimulus:
    """How the module of one kind is fed.

    Args:
        subject: The part.
    """

    subject: Subject

    def inputs(self, part: Any, *, rows: int = 2, dtype: torch.dtype = torch.float32) -> Inputs:
        """Floating-point inputs with ``rows`` in front, or ids for a decoder."""
        if self.subject.kind == "decoder":
            return (token_ids(self.subject, part, rows, 9),)
        return (noise(rows, *self._shape(part), dtype=dtype, device=self.subject.device),)

    def _shape(self, part: Any) -> tuple[int, ...]:
        if self.subject.kind == "vision_encoder":
            return 3, part.image_size, part.image_size
        if self.subject.kind == "projector":
            return accepted_grid(part).num_tokens, self.subject.wired()["in_dim"]
        return 9, self.subject.wired()["dim"]

    def output(self, part: Any, inputs: Inputs) -> Tensor:
        """What the part's forward returns."""
        kind = self.subject.kind
        (x,) = inputs
        if kind == "projector":
            return part(x, accepted_grid(part))  # type: ignore[no-any-return]
        if kind == "decoder":
            return decode(part, part.embed(x))
        if kind == "decoder_block":
            return run_block(part, x)
        return part(x)  # type: ignore[no-any-return]

    def final(self, part: Any, inputs: Inputs) -> Tensor:
        """What reaches every parameter: logits for a decoder, else the output."""
        output = self.output(part, inputs)
        return part.logits(output) if self.subject.kind == "decoder" else output


def decode(
    part: Any, x_BLD: Tensor, *, mask: Mask | None = None, positions_BL: Tensor | None = None
) -> Tensor:
    """Hidden states without a cache."""
    where = positions(x_BLD) if positions_BL is None else positions_BL
    return part(x_BLD, positions_BL=where, mask=mask or Causal())  # type: ignore[no-any-return]


def run_block(
    part: Any,
    x_BLD: Tensor,
    *,
    mask: Mask | None = None,
    positions_BL: Tensor | None = None,
    cache: Any = None,
) -> Tensor:
    """A block's output with rotary tables of its head size."""
    where = positions(x_BLD) if positions_BL is None else positions_BL
    return part(x_BLD, rotary_tables(where, part.head_dim), mask or Causal(), cache)  # type: ignore[no-any-return]
