"""Rounds in a random order that drift cannot favour."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def mirrored(names: Sequence[str], chance: np.random.Generator) -> list[str]:
    """The names in a random order, then backwards: a, b, b, a or b, a, a, b.

    Each stands as early as late, so a clock that drifts steadily slows all alike. And because
    every order is as likely as the same with two names exchanged, it is a fair coin, block by
    block, whom all other disturbance favours: neighbours on the machine, a bus that changes
    gear, one slow round in a thousand. That coin is thrown by us; nothing is assumed of the noise.
    """
    order = [names[index] for index in chance.permutation(len(names))]
    return order + order[::-1]


def block_logs(rounds_s: Sequence[float]) -> NDArray[np.float64]:
    """The logarithm of each block's time: the mean over a contender's two rounds in it.

    Args:
        rounds_s: Of mirrored blocks, in order; a last round without its mirror image is left out.

    Shapes:
        ``(2 n,)`` -> ``(n,)``.
    """
    whole = len(rounds_s) // 2 * 2
    pairs = np.log(np.asarray(rounds_s[:whole], dtype=np.float64)).reshape(-1, 2)
    means: NDArray[np.float64] = pairs.mean(1)
    return means
