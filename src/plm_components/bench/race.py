"""Rounds in a random order that drift cannot favour."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

# runs one round and says how many seconds it took
Round = Callable[[], float]


def mirrored(names: Sequence[str], chance: np.random.Generator) -> list[str]:
    """The names in a random order, then backwards: a, b, b, a or b, a, a, b.

    Each stands as early as late, so a clock that drifts steadily slows all alike. And because
    every order is as likely as the same with two names exchanged, it is a fair coin, block by
    block, whom all other disturbance favours: neighbours on the machine, a bus that changes
    gear, one slow round in a thousand. That coin is thrown by us; nothing is assumed of the noise.
    """
    order = [names[index] for index in chance.permutation(len(names))]
    return order + order[::-1]


def race(
    rounds: Mapping[str, Round], blocks: int, chance: np.random.Generator
) -> dict[str, NDArray[np.float64]]:
    """Runs ``blocks`` mirrored blocks.

    Args:
        rounds: What runs a round of each contender, by name.
        blocks: How many; decided before the first, never while looking.
        chance: Draws the orders.

    Returns:
        By name, the logarithm of each block's seconds: the mean over its two rounds, ``(blocks,)``.
    """
    names = list(rounds)
    logs = {name: np.zeros(blocks) for name in names}
    for block in range(blocks):
        for name in mirrored(names, chance):
            logs[name][block] += np.log(rounds[name]()) / 2
    return logs
