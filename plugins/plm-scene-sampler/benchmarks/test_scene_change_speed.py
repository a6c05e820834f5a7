"""What choosing costs beside decoding: the sampler alone, its small frames already in memory.

``pytest benchmarks`` runs it once over a short video; ``pytest benchmarks --benchmark-enable
--benchmark-only`` times an hour. Looking itself costs ``candidates`` more decoded frames.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch

from plm_components.contracts import VideoFacts
from plm_components.video_samplers.plm_uniform import PLMUniformSampler
from plm_scene_sampler.scene_change import SceneChangeSampler

SMALL, HOURS = [240], [24 * 3600]
SAMPLERS = {
    "plm_uniform": PLMUniformSampler(),
    "scene_change, 128 candidates": SceneChangeSampler(),
    "scene_change, 512 candidates": SceneChangeSampler(candidates=512),
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    smoke = metafunc.config.getoption("benchmark_disable")
    metafunc.parametrize("num_frames", SMALL if smoke else HOURS)


@pytest.mark.parametrize("name", SAMPLERS)
def test_sample(benchmark: Any, num_frames: int, name: str) -> None:
    times = tuple(number / 24 for number in range(num_frames))
    facts = VideoFacts(num_frames, 24.0, num_frames / 24, times, (0,), 64, 48)
    generator = torch.Generator().manual_seed(0)
    frames = torch.randint(0, 256, (512, 3, 32, 32), generator=generator, dtype=torch.uint8)
    sampler = SAMPLERS[name]
    # no wrong answer gets a time
    found = sampler.sample(facts, peek=lambda indices, side: frames[: len(indices)])
    assert len(set(found.indices)) == sampler.max_frames
    benchmark.group = f"sample {num_frames} frames"
    benchmark(sampler.sample, facts, peek=lambda indices, side: frames[: len(indices)])
