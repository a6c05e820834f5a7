"""Inputs in turn: no call finds the content of the call before, or, if cold, its cache lines."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import torch
from torch import Generator

from plm_components.bench.caches import last_cache_bytes
from plm_components.bench.call import copied
from plm_components.bench.memory import identical
from plm_components.bench.operation import Operation
from plm_components.bench.record import Mode
from plm_components.bench.truth import Content, draw

# rotated copies together, as a multiple of the cache they must not fit in
_CACHES = 3
_MOST_SETS = 64
# contents known before the first round; a round that will be verified has another
_POOL = 3


class InputSet:
    """Memory that calls read from, and what lies there now.

    Args:
        content: What lies there first.
        differentiable: Which inputs are leaves of a graph.
    """

    def __init__(self, content: Content, differentiable: Sequence[int]) -> None:
        self.inputs = copied(content.inputs, differentiable)
        self.cotangents = copied(content.cotangents, ())
        self.content = content

    def write(self, content: Content) -> None:
        """Other content in the same place; autograd's count of versions does not tell."""
        places = (*self.inputs, *self.cotangents)
        for place, tensor in zip(places, (*content.inputs, *content.cotangents), strict=True):
            place.data.copy_(tensor)
        self.content = content

    @property
    def untouched(self) -> bool:
        """Whether what was written is still there, bit by bit."""
        there = (*self.inputs, *self.cotangents)
        wanted = (*self.content.inputs, *self.content.cotangents)
        return all(identical(one, other) for one, other in zip(there, wanted, strict=True))


class Rotation:
    """Sets of inputs, taken in turn by whoever is timed.

    Args:
        operation: Whose inputs.
        seed: Of all contents.
        mode: ``cold`` and ``graph`` have as many sets as do not fit the cache together; others
            one, which the next content is written to just before each call.
    """

    def __init__(self, operation: Operation, seed: int, mode: Mode) -> None:
        self._operation = operation
        self._mode = mode
        self._cold = cold = mode in ("cold", "graph")
        self._generator = Generator(operation.device).manual_seed(seed)
        self._pool = [self._drawn() for _ in range(_POOL)]
        self.set_bytes = _nbytes(self._pool[0])
        count = _sets_needed(self.set_bytes, operation.device) if cold else 1
        places = operation.differentiable if operation.backward else ()
        self.sets = [InputSet(self._pool[place % _POOL], places) for place in range(count)]
        self._turn = 0
        cached = _CACHES * last_cache_bytes(operation.device)
        self._too_small = cold and count * self.set_bytes < cached

    @property
    def how(self) -> str:
        """In words, for whoever reads the times."""
        if not self._cold:
            return "other content written to the same place before each call"
        rotated = f"{len(self.sets)} copies of {self.set_bytes / 2**20:.3g} MiB in turn"
        if not self._too_small:
            return rotated
        if self._mode == "graph":
            return f"{rotated}, which the cache can hold"
        return f"{rotated}, caches read over before each call"

    def take(self, *, fresh: bool) -> InputSet:
        """The next set.

        Args:
            fresh: With content that no call has seen.
        """
        taken = self.sets[self._turn % len(self.sets)]
        self._turn += 1
        if fresh:
            taken.write(self._drawn())
        elif not self._cold:
            taken.write(self._after(taken.content))
        if self._too_small or (fresh and self._cold):
            read_over_cache(self._operation.device)
        return taken

    def give_back(self, taken: InputSet) -> None:
        """Other content for the next time, so long before it that no cache remembers."""
        if self._cold:
            taken.write(self._after(taken.content))

    def renew(self, chosen: InputSet) -> None:
        """Content that no call has seen, for a set that stays where it is."""
        chosen.write(self._drawn())

    def _drawn(self) -> Content:
        return draw(self._operation, self._generator, "normal")

    def _after(self, content: Content) -> Content:
        places = [place for place, known in enumerate(self._pool) if known is content]
        return self._pool[(places[0] + 1) % _POOL if places else 0]


def read_over_cache(device: torch.device) -> None:
    """Fills a GPU's last cache with lines that need not be written back."""
    if device.type == "cuda":
        _scratch(device).sum()


def _sets_needed(set_bytes: int, device: torch.device) -> int:
    enough = _CACHES * last_cache_bytes(device) // max(1, set_bytes) + 1
    return min(max(2, enough), _MOST_SETS)


def _nbytes(content: Content) -> int:
    return sum(tensor.nbytes for tensor in (*content.inputs, *content.cotangents))


@cache
def _scratch(device: torch.device) -> torch.Tensor:
    return torch.zeros(2 * last_cache_bytes(device) // 4, device=device)
