"""Noise as machines make it, each a long row of factors on the time of successive rounds."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Noise = Callable[[int, np.random.Generator], NDArray[np.float64]]


def drift(count: int, chance: np.random.Generator) -> NDArray[np.float64]:
    """A card that heats up: half as slow again at the end, and a little jitter."""
    return np.exp(np.linspace(0, 0.4, count) + 0.005 * chance.standard_normal(count))


def walk(count: int, chance: np.random.Generator) -> NDArray[np.float64]:
    """Wanders 1 % a round and never comes back."""
    return np.exp(np.cumsum(0.01 * chance.standard_normal(count)))


def neighbours(count: int, chance: np.random.Generator) -> NDArray[np.float64]:
    """Autocorrelated, 5 % wide: a round is like the thirty before it."""
    steps, level = chance.standard_normal(count), 0.0
    levels = np.empty(count)
    for number, step in enumerate(steps):
        level = 0.97 * level + 0.05 * (1 - 0.97**2) ** 0.5 * step
        levels[number] = level
    return np.exp(levels)


def gears(count: int, chance: np.random.Generator) -> NDArray[np.float64]:
    """A memory bus of two speeds, 45 and 75 GB/s, that changes every fifty rounds or so."""
    changes = np.cumsum(chance.random(count) < 0.02)
    return np.where(changes % 2, 75 / 45, 1.0) * np.exp(0.01 * chance.standard_normal(count))


def tails(count: int, chance: np.random.Generator) -> NDArray[np.float64]:
    """Only ever later, without a variance: one round in a hundred takes several times as long."""
    return 1 + 0.01 * (chance.pareto(1.2, count))


def beat(count: int, chance: np.random.Generator) -> NDArray[np.float64]:
    """Every third round is 20 % slower: in step with the blocks."""
    late = np.arange(count) % 3 == chance.integers(3)
    return np.where(late, 1.2, 1.0) * np.exp(0.005 * chance.standard_normal(count))


def everything(count: int, chance: np.random.Generator) -> NDArray[np.float64]:
    """All of it at once."""
    return np.prod([noise(count, chance) for noise in NOISES[:-1]], axis=0)


NOISES: list[Noise] = [drift, walk, neighbours, gears, tails, beat, everything]
