"""Probes shared by decoders and blocks: both are functions of a sequence under a mask."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor

from plm_components.contracts import Causal, Documents, Mask
from plm_components.errors import UnsupportedError
from plm_components.testing.checks.modules import close, gap
from plm_components.testing.checks.stimuli import noise, positions
from plm_components.testing.outcome import NotApplicable, expect

# (x_BLD, mask, positions_BL) -> (B, L, D)
Run: TypeAlias = Callable[[Tensor, Mask, Tensor], Tensor]


def probe_causality(run: Run, width: int, device: str) -> None:
    """Perturbs the future: the past must not move. Perturbs the past: the future must."""
    x = noise(2, 9, width, device=device)
    where = positions(x)
    later, earlier = x.clone(), x.clone()
    later[:, 5:] += 10
    earlier[:, :3] += noise(2, 3, width, seed=1, device=device)
    before = run(x, Causal(), where)
    after = run(later, Causal(), where)
    moved = gap(before[:, :5], after[:, :5])
    expect(
        close(before[:, :5], after[:, :5]),
        f"positions 0..4 move by {moved:.3g} when positions 5.. change",
    )
    seen = gap(before[:, 5:], run(earlier, Causal(), where)[:, 5:])
    expect(seen > 1e-4, "positions 5.. do not see positions 0..2")


def probe_documents(run: Run, width: int, device: str) -> None:
    """Two documents in one row give what each gives alone; the second must not see the first."""
    x = noise(1, 9, width, device=device)
    where = torch.tensor([[0, 1, 2, 3, 0, 1, 2, 3, 4]], device=device)
    try:
        packed = run(x, Documents(torch.tensor([0, 4, 9], device=device)), where)
    except UnsupportedError as refusal:
        raise NotApplicable(f"refuses Documents: {refusal.what}") from refusal
    alone = [run(part, Causal(), positions(part)) for part in (x[:, :4], x[:, 4:])]
    separate = torch.cat(alone, 1)
    expect(
        close(packed, separate),
        f"packed documents differ by {gap(packed, separate):.3g} from each alone",
    )
