"""Sampling against its definition."""

from __future__ import annotations

import pytest
import torch
from torch import Generator

from plm_components.errors import UsageError
from plm_components.inference import next_ids

PROBABILITIES = torch.tensor([0.5, 0.25, 0.15, 0.1])


def frequencies(**options: float) -> torch.Tensor:
    logits = PROBABILITIES.log().expand(20_000, -1)
    ids = next_ids(logits, generator=Generator().manual_seed(0), **options)
    return ids.bincount(minlength=4) / len(ids)


def test_zero_temperature_takes_the_likeliest() -> None:
    logits = torch.tensor([[0.0, 3.0, 1.0], [5.0, 4.0, 4.9]])
    assert next_ids(logits).tolist() == [1, 0]


def test_temperature_one_samples_the_distribution() -> None:
    torch.testing.assert_close(frequencies(temperature=1.0), PROBABILITIES, rtol=0, atol=0.015)


def test_temperature_sharpens() -> None:
    sharp = PROBABILITIES**2 / (PROBABILITIES**2).sum()
    torch.testing.assert_close(frequencies(temperature=0.5), sharp, rtol=0, atol=0.015)


@pytest.mark.parametrize(("top_p", "kept"), [(0.4, 1), (0.6, 2), (0.8, 3), (1.0, 4)])
def test_top_p_keeps_the_fewest_ids_that_reach_it(top_p: float, kept: int) -> None:
    expected = PROBABILITIES.clone()
    expected[kept:] = 0
    found = frequencies(temperature=1.0, top_p=top_p)
    torch.testing.assert_close(found, expected / expected.sum(), rtol=0, atol=0.015)


def test_bf16_logits_are_sampled_in_fp32() -> None:
    logits = torch.zeros(1, 50_000, dtype=torch.bfloat16)
    # in bf16 a probability of 1/50000 would be lost in the sum
    assert 0 <= int(next_ids(logits, temperature=1.0, top_p=0.5)) < 50_000


@pytest.mark.parametrize("temperature", [1e-40, 5e-324, 1e-20])
def test_the_coldest_is_the_likeliest(temperature: float) -> None:
    logits = torch.tensor([[0.0, 3.0, -torch.inf], [5.0, 4.0, 4.9]])
    assert next_ids(logits, temperature=temperature).tolist() == [1, 0]


@pytest.mark.parametrize("temperature", [1e30, 1e300, 10**400])
def test_the_hottest_is_uniform_and_says_nothing_impossible(temperature: float) -> None:
    logits = torch.tensor([0.0, 3.0, -torch.inf]).expand(10_000, -1)
    ids = next_ids(logits, temperature=temperature, generator=Generator().manual_seed(0))
    found = ids.bincount(minlength=3) / len(ids)
    torch.testing.assert_close(found, torch.tensor([0.5, 0.5, 0.0]), rtol=0, atol=0.02)


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"temperature": -0.5}, "temperature is -0.5."),
        ({"temperature": float("nan")}, "temperature is nan."),
        ({"temperature": float("inf")}, "temperature is inf."),
        ({"temperature": "x"}, "temperature is 'x'."),
        ({"temperature": True}, "temperature is True."),
        ({"temperature": 1.0, "top_p": "x"}, "top_p is 'x'."),
        ({"temperature": 1.0, "top_p": 0.0}, "top_p is 0.0."),
        ({"temperature": 1.0, "top_p": 1.5}, "top_p is 1.5."),
    ],
)
def test_options_without_sense(options: dict[str, float], what: str) -> None:
    with pytest.raises(UsageError) as caught:
        next_ids(torch.zeros(1, 4), **options)
    assert caught.value.what == what
