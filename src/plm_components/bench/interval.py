"""The exact interval of a median: no distribution is assumed, and no tail can stretch it."""

from __future__ import annotations

from collections.abc import Sequence
from math import comb
from typing import NamedTuple

import numpy as np

from plm_components.errors import UsageError


class Interval(NamedTuple):
    """A median between the ends of its confidence interval."""

    low: float
    middle: float
    high: float


def median_interval(values: Sequence[float], alpha: float = 0.01) -> Interval:
    """The sign test turned round: two order statistics that hold the median between them.

    If each value lies above the true median with probability one half, independently of the
    others, the interval misses it with a probability of ``alpha`` at most. Nothing else is
    assumed: no normal noise, no equal spread, no mean.

    Args:
        values: One a block.
        alpha: How often the interval may miss, both ends together.

    Raises:
        UsageError: too few values for any interval at this ``alpha``.

    Source:
        W. J. Conover, Practical Nonparametric Statistics, section 3.2.
    """
    outside = _outside(len(values), alpha)
    if outside == 0:
        raise UsageError(
            f"{len(values)} blocks give no interval at alpha {alpha:g}.",
            where="bench.median_interval",
            expected=f"{least_blocks(alpha)} blocks or more",
            fix="allow more time, or a larger alpha",
        )
    ordered = np.sort(np.asarray(values, dtype=np.float64))
    low, high = ordered[outside - 1], ordered[-outside]
    return Interval(float(low), float(np.median(ordered)), float(high))


def least_blocks(alpha: float) -> int:
    """The fewest values that give an interval: ``2 * 0.5**n`` must not exceed ``alpha``."""
    blocks = 1
    while _outside(blocks, alpha) == 0:
        blocks += 1
    return blocks


def _outside(num_values: int, alpha: float) -> int:
    """How many values from either end the interval may start at; 0 where there is none."""
    # P(at most k of n fair coins show heads), twice, stays within alpha
    heads, outside = 0, 0
    for count in range(num_values // 2):
        heads += comb(num_values, count)
        if 2 * heads > alpha * 2**num_values:
            break
        outside = count + 1
    return outside
