"""What this projector does beyond its contract."""

from __future__ import annotations

import pytest
import torch
from plm_components.contracts import Grid
from plm_components.errors import ShapeError
from torch.nn.functional import avg_pool2d

from plm_my_part.my_part import MyPart as Part


def built() -> Part:
    part = Part(6, 5)
    part.init_weights(torch.Generator().manual_seed(0))
    return part


def test_an_open_gate_is_mean_pooling() -> None:
    part, x_BNC = built(), torch.randn(2, 24, 6)
    pooled_BCM = avg_pool2d(x_BNC.mT.reshape(2, 6, 4, 6), 2).flatten(2)
    torch.testing.assert_close(part(x_BNC, Grid(4, 6)), part.project(pooled_BCM.mT))


def test_the_gate_chooses_within_a_window() -> None:
    part, x_BNC = built(), torch.zeros(1, 4, 6)
    x_BNC[0, :, 1] = torch.tensor([1.0, 2.0, 3.0, 4.0])
    x_BNC[0, 2, 0] = 1.0
    with torch.no_grad():
        part.gate.weight[0, 0] = 100.0
    torch.testing.assert_close(part(x_BNC, Grid(2, 2)), part.project(x_BNC[:, 2:3]))


def test_an_odd_grid_is_refused() -> None:
    with pytest.raises(ShapeError, match="A 3x4 grid cannot be pooled 2x2"):
        built().num_tokens(Grid(3, 4))
