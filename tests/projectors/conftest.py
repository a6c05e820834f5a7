"""One of each projector, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from plm_components.kernels.pooling.mean import MeanPooling
from plm_components.projectors.avg_pool_mlp import AvgPoolMLPProjector
from plm_components.projectors.linear import LinearProjector
from plm_components.projectors.perceiver_resampler import PerceiverResamplerProjector
from plm_components.projectors.pixel_shuffle_mlp import PixelShuffleMLPProjector

BUILDERS: dict[str, Callable[[], Any]] = {
    "avg_pool_mlp": lambda: AvgPoolMLPProjector(12, 16, pooling=MeanPooling()),
    "avg_pool_mlp_last": lambda: AvgPoolMLPProjector(
        12, 16, order="pool_last", pooling=MeanPooling()
    ),
    "linear": lambda: LinearProjector(12, 16),
    "pixel_shuffle_internvl": lambda: PixelShuffleMLPProjector(12, 16),
    "pixel_shuffle_smolvlm": lambda: PixelShuffleMLPProjector(12, 16, mlp="smolvlm"),
    "perceiver_resampler": lambda: PerceiverResamplerProjector(12, 16, num_queries=5, num_heads=4),
}


@pytest.fixture(params=BUILDERS)
def build(request: pytest.FixtureRequest) -> Callable[[], Any]:
    """Makes a projector from 12 to 16 channels; windows are 2x2 where there are any."""
    return BUILDERS[request.param]
