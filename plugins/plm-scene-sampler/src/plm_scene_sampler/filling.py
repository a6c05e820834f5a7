"""Frames between chosen ones: always the frame that is farthest, in time, from all of them."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence
from heapq import heapify, heappop, heappush
from itertools import pairwise
from typing import NamedTuple


class _Farthest(NamedTuple):
    """The best frame of a gap; a heap of these gives the longest way, then the earliest frame."""

    minus_distance_s: float
    frame: int
    # chosen frames around the gap; -1 and num_frames stand for the ends
    left: int
    right: int


def fill(times_s: Sequence[float], chosen: Sequence[int], count: int) -> list[int]:
    """Chosen frames and as many others as it takes, ascending.

    Args:
        times_s: Presentation time of each frame, increasing.
        chosen: Frame numbers, at least one, ascending, without repeats.
        count: Frames in the end; all of the video's if it has fewer.

    Source:
        Farthest-first traversal, Gonzalez 1985: no frame of the video ends up more than twice as
        far from a chosen one as with the best possible choice.
    """
    filled = list(chosen)
    borders = [-1, *filled, len(times_s)]
    gaps = [gap for pair in pairwise(borders) for gap in _gap(times_s, *pair)]
    heapify(gaps)
    while gaps and len(filled) < count:
        gap = heappop(gaps)
        insort(filled, gap.frame)
        for half in (
            *_gap(times_s, gap.left, gap.frame),
            *_gap(times_s, gap.frame, gap.right),
        ):
            heappush(gaps, half)
    return filled


def _gap(times_s: Sequence[float], left: int, right: int) -> list[_Farthest]:
    """The farthest frame strictly between two chosen ones; none where there is no frame."""
    if right - left < 2:
        return []
    if left < 0:
        return [_Farthest(times_s[0] - times_s[right], 0, left, right)]
    if right == len(times_s):
        return [_Farthest(times_s[left] - times_s[-1], len(times_s) - 1, left, right)]
    middle_s = (times_s[left] + times_s[right]) / 2
    after = bisect_left(times_s, middle_s, left + 1, right)
    around = [index for index in (after - 1, after) if left < index < right]
    return [min(_between(times_s, left, index, right) for index in around)]


def _between(times_s: Sequence[float], left: int, index: int, right: int) -> _Farthest:
    distance_s = min(times_s[index] - times_s[left], times_s[right] - times_s[index])
    return _Farthest(-distance_s, index, left, right)
