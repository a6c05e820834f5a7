"""What two contenders' rounds say: slower, faster, even, or not known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp
from typing import Any, Literal

from plm_components.bench.interval import Interval, median_interval
from plm_components.bench.race import block_logs

Finding = Literal["slower", "faster", "even", "unclear"]
# how often a comparison of a thing with itself may say slower or faster
ALPHA = 0.01
BUDGET = 0.03


@dataclass(frozen=True)
class Comparison:
    """A candidate's time over the baseline's.

    Args:
        ratio: Median ratio of the two times, between the ends of its interval.
        itself: The same of the baseline and the baseline prepared once more.
        budget: What the candidate may be slower or faster by, as a fraction.
        alpha: How often the interval misses; also the most that a comparison of a thing with
            itself says ``slower`` or ``faster``.
        blocks: Blocks of rounds that it rests on.
    """

    ratio: Interval
    itself: Interval
    budget: float
    alpha: float
    blocks: int

    @property
    def floor(self) -> float:
        """The noise floor, 1 or more: the largest ratio of the baseline to itself not ruled out."""
        return max(self.itself.high, 1 / self.itself.low)

    @property
    def finding(self) -> Finding:
        """``slower`` and ``faster`` only where the whole interval is beyond budget and floor.

        ``even`` where the whole interval is within the budget; ``unclear`` otherwise: more
        blocks, or a quieter machine, would tell.
        """
        allowed = 1 + self.budget
        margin = max(allowed, self.floor)
        if self.ratio.low > margin:
            return "slower"
        if self.ratio.high < 1 / margin:
            return "faster"
        within = 1 / allowed <= self.ratio.low and self.ratio.high <= allowed
        return "even" if within else "unclear"

    def to_dict(self) -> dict[str, Any]:
        """Plain data, the finding and the floor included."""
        return {
            "finding": self.finding,
            "ratio": list(self.ratio),
            "itself": list(self.itself),
            "floor": self.floor,
            "budget": self.budget,
            "alpha": self.alpha,
            "blocks": self.blocks,
        }

    def __str__(self) -> str:
        low, middle, high = self.ratio
        return (
            f"{self.finding}: {middle:.3f}x the time [{low:.3f}, {high:.3f}], "
            f"{100 * (1 - self.alpha):g} % sure over {self.blocks} blocks; "
            f"budget {100 * self.budget:.2g} %, noise floor {100 * (self.floor - 1):.2g} %"
        )


def judge(
    baseline_s: Sequence[float],
    candidate_s: Sequence[float],
    again_s: Sequence[float],
    *,
    budget: float = BUDGET,
    alpha: float = ALPHA,
) -> Comparison:
    """Compares rounds that ran in the same mirrored blocks.

    Args:
        baseline_s: Seconds of the baseline's rounds.
        candidate_s: Of the candidate's.
        again_s: Of the baseline's, prepared once more.
        budget: As a fraction.
        alpha: How often the interval may miss.

    Raises:
        UsageError: too few blocks for an interval.
    """
    return Comparison(
        ratio=ratio_interval(candidate_s, baseline_s, alpha),
        itself=ratio_interval(again_s, baseline_s, alpha),
        budget=budget,
        alpha=alpha,
        blocks=len(baseline_s) // 2,
    )


def ratio_interval(
    times_s: Sequence[float], others_s: Sequence[float], alpha: float = ALPHA
) -> Interval:
    """The median ratio of two contenders' times, block by block, and its exact interval.

    Raises:
        UsageError: too few blocks for an interval.
    """
    logs = block_logs(times_s) - block_logs(others_s)
    return Interval(*(exp(value) for value in median_interval(logs.tolist(), alpha)))
