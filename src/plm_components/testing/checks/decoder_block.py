"""What decoder blocks promise: one causal layer that turns positions by the tables it is given."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from plm_components.contracts import CausalCached, Mask
from plm_components.testing.checks.modules import close, gap
from plm_components.testing.checks.sequences import Run, probe_causality, probe_documents
from plm_components.testing.checks.stimuli import noise, positions, run_block
from plm_components.testing.outcome import expect
from plm_components.testing.roster import check
from plm_components.testing.subject import Subject


class PlainLayerCache:
    """The simplest LayerCache: rows of fixed room, written in place.

    Unwritten places hold large numbers, so reading them shows.
    """

    def __init__(self, part: Any, rows: int, room: int, device: str) -> None:
        self.lengths_B = torch.zeros(rows, dtype=torch.int64, device=device)
        shape = (2, rows, part.num_kv_heads, room, part.head_dim)
        self._kept = torch.full(shape, 1e4, device=device)

    def append(self, k_BGLh: Tensor, v_BGLh: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Writes behind each row's valid length."""
        num_new = k_BGLh.shape[2]
        for row, length in enumerate(self.lengths_B.tolist()):
            self._kept[0, row, :, length : length + num_new] = k_BGLh[row]
            self._kept[1, row, :, length : length + num_new] = v_BGLh[row]
        seen = int(self.lengths_B.max()) + num_new
        return self._kept[0, :, :, :seen], self._kept[1, :, :, :seen], self.lengths_B


@check("decoder_block")
def shape_law(subject: Subject) -> None:
    """(B, L, dim) gives (B, L, dim)."""
    part = subject.build_random()
    for rows, length in ((1, 1), (2, 7), (3, 2)):
        x = noise(rows, length, _dim(subject), device=subject.device)
        got = tuple(run_block(part, x).shape)
        expect(got == tuple(x.shape), f"{tuple(x.shape)} gives {got}")


@check("decoder_block")
def causal(subject: Subject) -> None:
    """No position sees the future, and every position sees the past."""
    probe_causality(_run(subject.build_random()), _dim(subject), subject.device)


@check("decoder_block")
def documents_apart(subject: Subject) -> None:
    """Packed documents do not see one another."""
    probe_documents(_run(subject.build_random()), _dim(subject), subject.device)


@check("decoder_block")
def rotary_is_relative(subject: Subject) -> None:
    """One offset to all positions changes nothing: queries and keys turn alike, half-split."""
    part = subject.build_random()
    x = noise(1, 6, _dim(subject), device=subject.device)
    here = run_block(part, x, positions_BL=positions(x))
    there = run_block(part, x, positions_BL=positions(x, start=40))
    # the angles are fp32: a few more roundings than elsewhere
    expect(
        close(there, here, 1e-3), f"an offset of 40 positions changes it by {gap(there, here):.3g}"
    )


@check("decoder_block")
def cache_equals_no_cache(subject: Subject) -> None:
    """Behind a cache of rows filled to different lengths it gives what it gives without."""
    part = subject.build_random()
    lengths = [3, 5]
    x = noise(2, 7, _dim(subject), device=subject.device)
    cache = PlainLayerCache(part, 2, 9, subject.device)
    _cached(part, x[:, :5], cache)
    cache.lengths_B = torch.tensor(lengths, device=subject.device)
    got = _cached(part, x[:, 5:], cache)
    for row, length in enumerate(lengths):
        alone = torch.cat([x[row : row + 1, :length], x[row : row + 1, 5:]], 1)
        want = run_block(part, alone)[0, length:]
        expect(
            close(got[row], want),
            f"row {row} behind {length} positions differs by {gap(got[row], want):.3g}",
        )


def _cached(part: Any, x_BLD: Tensor, cache: PlainLayerCache) -> Tensor:
    where = positions(x_BLD) + cache.lengths_B[:, None]
    mask = CausalCached(cache.lengths_B.clone())
    return run_block(part, x_BLD, mask=mask, positions_BL=where, cache=cache)


def _dim(subject: Subject) -> int:
    return int(subject.wired()["dim"])


def _run(part: Any) -> Run:
    def run(x_BLD: Tensor, mask: Mask, positions_BL: Tensor) -> Tensor:
        return run_block(part, x_BLD, mask=mask, positions_BL=positions_BL)

    return run
