"""The statistics of pytest-benchmark's files, from a list of seconds."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean, median, quantiles, stdev
from typing import Any


def stats(seconds: Sequence[float]) -> dict[str, Any]:
    """Every key that a benchmark's ``stats`` has there, ``data`` among them.

    Args:
        seconds: Of every round, at least one.
    """
    ordered = sorted(seconds)
    middle, spread = mean(ordered), stdev(ordered) if len(ordered) > 1 else 0.0
    q1, q3 = _quartiles(ordered)
    low, high = q1 - 1.5 * (q3 - q1), q3 + 1.5 * (q3 - q1)
    inside = [value for value in ordered if low <= value <= high]
    far = sum(abs(value - middle) > spread for value in ordered)
    return {
        "min": ordered[0],
        "max": ordered[-1],
        "mean": middle,
        "stddev": spread,
        "rounds": len(ordered),
        "median": median(ordered),
        "iqr": q3 - q1,
        "q1": q1,
        "q3": q3,
        "iqr_outliers": len(ordered) - len(inside),
        "stddev_outliers": far,
        "outliers": f"{far};{len(ordered) - len(inside)}",
        "ld15iqr": inside[0],
        "hd15iqr": inside[-1],
        "ops": len(ordered) / sum(ordered),
        "total": sum(ordered),
        "data": list(seconds),
        "iterations": 1,
    }


def deviation(seconds: Sequence[float]) -> float:
    """Median absolute deviation from the median, seconds."""
    middle = median(seconds)
    return median(abs(value - middle) for value in seconds)


def _quartiles(ordered: Sequence[float]) -> tuple[float, float]:
    if len(ordered) == 1:
        return ordered[0], ordered[0]
    first, _, third = quantiles(ordered, n=4, method="inclusive")
    return first, third
