"""Evenly spaced places, rounded as the published models saw them."""

from __future__ import annotations


def spread(length: int, count: int) -> list[int]:
    """``count`` places evenly over ``0..length - 1``, both ends among them.

    Halves round to even, as Python's ``round`` does. A single place is the first.
    """
    if count == 1:
        return [0]
    return [round(place * (length - 1) / (count - 1)) for place in range(count)]
