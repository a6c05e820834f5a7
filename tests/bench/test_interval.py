"""The interval of a median against binomial tables and against draws."""

from __future__ import annotations

import numpy as np
import pytest

from plm_components.bench.budgets import read_budget
from plm_components.bench.interval import least_blocks, median_interval
from plm_components.errors import UsageError


@pytest.mark.parametrize(
    ("count", "alpha", "rank"),
    # ranks of the ends from tables of the sign test: count, two-sided level, lower rank
    [(8, 0.01, 1), (10, 0.05, 2), (16, 0.01, 3), (20, 0.05, 6), (25, 0.01, 6), (100, 0.05, 40)],
)
def test_the_ends_are_the_order_statistics_of_the_tables(
    count: int, alpha: float, rank: int
) -> None:
    values = np.random.default_rng(0).permutation(np.arange(1.0, count + 1))

    low, middle, high = median_interval(values.tolist(), alpha)
    assert (low, high) == (rank, count + 1 - rank)
    assert middle == (count + 1) / 2


@pytest.mark.parametrize("draw", ["standard_normal", "standard_cauchy", "standard_exponential"])
def test_it_misses_the_median_as_seldom_as_it_says(draw: str) -> None:
    chance = np.random.default_rng(1)
    true = {"standard_exponential": np.log(2)}.get(draw, 0.0)
    rows = getattr(chance, draw)((4000, 21))
    missed = 0
    for row in rows:
        low, _, high = median_interval(row.tolist(), 0.05)
        missed += not low <= true <= high

    # 21 coins: 2.66 %, the largest level that 5 % allows
    assert missed / len(rows) == pytest.approx(0.0266, abs=0.008)


def test_one_wild_value_moves_no_end() -> None:
    values = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0]
    wild = [*values[:-1], 1e9]

    assert median_interval(wild, 0.05) == median_interval(values, 0.05)


def test_too_few_values_are_refused() -> None:
    assert least_blocks(0.01) == 8
    with pytest.raises(UsageError) as caught:
        median_interval([1.0] * 7, 0.01)
    assert str(caught.value) == (
        "7 blocks give no interval at alpha 0.01.\n"
        "  where:    bench.median_interval\n"
        "  expected: 8 blocks or more\n"
        "  fix:      allow more time, or a larger alpha"
    )


@pytest.mark.parametrize(
    ("text", "budget"), [("3%", 0.03), ("2.5%", 0.025), (0.1, 0.1), (0, 0.0), ("0 %", 0.0)]
)
def test_a_budget_is_a_percentage_or_a_fraction(text: str | float, budget: float) -> None:
    assert read_budget(text) == pytest.approx(budget)


@pytest.mark.parametrize("text", ["3", "-1%", "fast", "%", "150%", 3, -0.1, float("nan")])
def test_what_is_no_budget_is_refused(text: str | float) -> None:
    with pytest.raises(UsageError) as caught:
        read_budget(text)
    assert str(caught.value) == (
        f"{text!r} is no budget.\n"
        "  where:    bench.read_budget\n"
        "  expected: a percentage like '3%' or '2.5%', or the number 0.03 (no text), less than 1\n"
        "  fix:      write '3%'"
    )
