"""Beside PerceptionLM's own sampler, over a long film."""

from __future__ import annotations

from typing import Any

import pytest
from plm_components.contracts import VideoFacts
from plm_components.video_samplers.plm_uniform import PLMUniformSampler

from plm_my_part.my_part import MyPart as Part


@pytest.mark.parametrize("sampler_class", [PLMUniformSampler, Part])
def test_a_film(benchmark: Any, sampler_class: Any) -> None:
    count = 100 if benchmark.disabled else 200_000
    times = tuple(number / 25 for number in range(count))
    film = VideoFacts(count, 25.0, count / 25, times, (0,), 64, 48)
    sampler = sampler_class(max_frames=16)
    # no wrong answer gets a time: frames of the film, in order
    sample = sampler.sample(film)
    assert list(sample.indices) == sorted(set(sample.indices))
    assert sample.indices[-1] < count
    benchmark(lambda: sampler.sample(film))
