"""What this kernel does beyond its contract."""

from __future__ import annotations

import torch
from plm_components.contracts import Grid

from plm_my_part.my_part import MyPart as Part


def test_each_window_is_its_mean() -> None:
    tokens_BNC = torch.arange(24.0).view(1, 24, 1)
    pooled_BMC = Part()(tokens_BNC, Grid(4, 6), 2)
    assert pooled_BMC.flatten().tolist() == [3.5, 5.5, 7.5, 15.5, 17.5, 19.5]


def test_one_token_alone_is_kept() -> None:
    tokens_BNC = torch.randn(2, 15, 3)
    assert torch.equal(Part()(tokens_BNC, Grid(3, 5), 1), tokens_BNC)
