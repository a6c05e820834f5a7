"""Its convolution beside the same as one matrix over patches, on one tile."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import linear, unfold

from plm_my_part.my_part import MyPart as Part

# dim, side of the tile
SMALL, LARGE = (24, 28), (1024, 448)


def by_convolution(part: Part, pixels_B3HW: Tensor) -> Tensor:
    tokens_BNC: Tensor = part.patches(pixels_B3HW).flatten(2).mT
    return tokens_BNC


def by_matrix(part: Part, pixels_B3HW: Tensor) -> Tensor:
    patches_BNP = unfold(pixels_B3HW, part.patch_size, stride=part.patch_size).mT
    return linear(patches_BNP, part.patches.weight.flatten(1), part.patches.bias)


@pytest.mark.parametrize("embed", [by_convolution, by_matrix])
def test_patches(benchmark: Any, embed: Any) -> None:
    dim, side = SMALL if benchmark.disabled else LARGE
    part = Part(dim=dim, image_size=side)
    part.init_weights(torch.Generator().manual_seed(0))
    pixels = torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        # no wrong answer gets a time
        exact = by_matrix(part.double(), pixels.double()).float()
        torch.testing.assert_close(embed(part.float(), pixels), exact, atol=1e-4, rtol=1e-4)
        benchmark(lambda: embed(part, pixels))
