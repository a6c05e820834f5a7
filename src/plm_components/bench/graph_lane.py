"""Many calls on rotated inputs as one CUDA graph: no launch is left to be timed."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor

from plm_components.bench.call import Call, as_tuple
from plm_components.bench.clock import CudaClock
from plm_components.bench.lane import Choice, Kept, Round, copies
from plm_components.bench.operation import Operation
from plm_components.bench.rotation import InputSet, Rotation
from plm_components.bench.streams import settle
from plm_components.errors import UnsupportedError

# what torch asks for before a capture
_REHEARSALS = 3


class GraphLane:
    """A replay at a time; its seconds are those of one call.

    Args:
        operation: What is timed.
        call: Whose.
        rotation: Every set of it is captured once.

    Raises:
        UnsupportedError: the call cannot be captured.
    """

    def __init__(self, operation: Operation, call: Call, rotation: Rotation) -> None:
        self._rotation = rotation
        self._choice = Choice()
        self._chance = random.SystemRandom()
        self._graph, self._answers = _captured(operation, call, rotation.sets)
        self.kept: Kept | None = None
        self.clock: Callable[[], Any] = CudaClock(operation.device, len(rotation.sets))

    def set_up(self) -> Round:
        """Content that no call has seen for one of the copies, if this round will be verified."""
        is_kept = self._choice.next()
        number = self._chance.randrange(len(self._rotation.sets))
        place = self._rotation.sets[number]
        if is_kept:
            self._rotation.renew(place)
        return Round(lambda: self._replay(number), place, is_kept)

    def clear(self, done: Round) -> None:
        """Keeps a copy of the chosen round."""
        answer = done.take_answer()
        if done.is_kept:
            self.kept = Kept(done.place.content, done.place.untouched, copies(answer))

    def begin(self) -> None:
        """From here on rounds count: one of them will be verified."""
        self._choice.begin()

    def hide(self, host_s: float) -> None:
        """There is but one launch: nothing to hide."""

    def _replay(self, number: int) -> tuple[Tensor, ...]:
        self._graph.replay()
        return self._answers[number]


def _captured(
    operation: Operation, call: Call, sets: Sequence[InputSet]
) -> tuple[torch.cuda.CUDAGraph, list[tuple[Tensor, ...]]]:
    graph, pool = torch.cuda.CUDAGraph(), torch.cuda.graph_pool_handle()
    current = torch.cuda.current_stream(operation.device)
    try:
        _rehearse(call, sets[0], operation.device)
        # a capture that fails leaves its own stream the current one
        with torch.cuda.stream(current), torch.cuda.graph(graph, pool=pool):
            answers = [as_tuple(call(place.inputs, place.cotangents)) for place in sets]
        settle(operation.device)
    except Exception as error:
        _close(pool, current.device)
        reason = str(error).strip().splitlines() or [""]
        raise UnsupportedError(
            f"The call cannot be captured in a CUDA graph: {type(error).__name__}: {reason[0]}",
            where=f"bench operation {operation.name}, mode graph",
            expected="a call that neither waits for the device nor allocates outside of it",
            fix="time it cold or warm",
        ) from error
    return graph, answers


def _close(pool: tuple[int, int], device: torch.device) -> None:
    """Tells the allocator that a capture is over which failed before torch could."""
    # torch closed it where this raises
    with suppress(RuntimeError, AttributeError):
        torch._C._cuda_endAllocateToPool(device.index, pool)


def _rehearse(call: Call, place: InputSet, device: torch.device) -> None:
    """A few calls on a stream beside the current one, so that lazy set-up is over."""
    side = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]  # torch has no types
    side.wait_stream(torch.cuda.current_stream(device))
    with torch.cuda.stream(side):
        for _ in range(_REHEARSALS):
            call(place.inputs, place.cotangents)
    torch.cuda.current_stream(device).wait_stream(side)
    settle(device)
