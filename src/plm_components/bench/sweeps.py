"""Rounds of all contenders, interleaved, until the time that was given is used up."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter

import numpy as np

from plm_components.bench.lane import Lane, time_round
from plm_components.bench.race import mirrored
from plm_components.bench.truth import fresh_seed

# a block is two rounds of each; fewer say nothing about their spread
LEAST_BLOCKS = 2
_MOST_BLOCKS = 500


@dataclass
class Rounds:
    """What one lane's rounds took.

    Args:
        seconds: Of each round, in the order of the blocks.
        hidden: In how many the launch was hidden, None where nobody looked.
        failure: What it raised; its rounds end there.
    """

    seconds: list[float] = field(default_factory=list)
    hidden: int | None = None
    failure: Exception | None = None


def sweep(
    lanes: Mapping[str, Lane],
    budget_s: float,
    between: Callable[[], None],
    min_blocks: int = LEAST_BLOCKS,
) -> dict[str, Rounds]:
    """Runs mirrored blocks; round ``n`` of every lane belongs to the same block.

    Args:
        lanes: By name.
        budget_s: Seconds for all of them.
        between: Called between blocks, outside of any round.
        min_blocks: How many are run in any case.
    """
    rounds = {name: Rounds() for name in lanes}
    chance = np.random.default_rng(fresh_seed())
    for lane in lanes.values():
        lane.begin()
    with _no_collection():
        began, blocks = perf_counter(), 0
        while blocks < min_blocks or (blocks < _MOST_BLOCKS and perf_counter() - began < budget_s):
            running = [name for name in lanes if rounds[name].failure is None]
            for name in mirrored(running, chance):
                _run(lanes[name], rounds[name])
            between()
            blocks += 1
    return rounds


def _run(lane: Lane, rounds: Rounds) -> None:
    if rounds.failure is not None:
        return
    try:
        timing = time_round(lane)
    except Exception as error:
        # the others go on
        rounds.failure = error
        return
    rounds.seconds.append(timing.seconds)
    rounds.hidden = (rounds.hidden or 0) + timing.hidden


@contextmanager
def _no_collection() -> Iterator[None]:
    """The garbage collector strikes between rounds or not at all."""
    was_on = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
