"""Rounds that do not count: until one window is like the next."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from time import perf_counter

from plm_components.bench.lane import Lane, time_round

_WINDOW = 3
_WINDOWS = 3
_AGREEMENT = 0.01
MOST_S = 2.0


@dataclass(frozen=True)
class WarmUp:
    """How a lane came to its steady state.

    Args:
        seconds: That it took.
        rounds: That it took.
        is_steady: Whether its last windows agreed within one percent; else time ran out.
        round_s: Seconds of a round at the end of it.
        turn_s: The same with everything around the round.
    """

    seconds: float
    rounds: int
    is_steady: bool
    round_s: float
    turn_s: float


def warm_up(lane: Lane, most_s: float = MOST_S) -> WarmUp:
    """Runs rounds until the medians of three windows in a row agree, or time runs out.

    Args:
        lane: Who.
        most_s: Seconds; one round is run in any case.
    """
    timed: list[float] = []
    began = perf_counter()
    while not _is_steady(timed) and (not timed or perf_counter() - began < most_s):
        timing = time_round(lane)
        timed.append(timing.seconds)
        lane.hide(timing.host_s)
    took = perf_counter() - began
    return WarmUp(took, len(timed), _is_steady(timed), median(timed[-_WINDOW:]), took / len(timed))


def _is_steady(timed: list[float]) -> bool:
    if len(timed) < _WINDOW * _WINDOWS:
        return False
    last = timed[-_WINDOW * _WINDOWS :]
    windows = [median(last[start : start + _WINDOW]) for start in range(0, len(last), _WINDOW)]
    return max(windows) <= (1 + _AGREEMENT) * min(windows)
