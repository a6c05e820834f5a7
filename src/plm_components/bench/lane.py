"""One contender in one mode: sets a round up, times it, and keeps one to be verified."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Protocol

import torch
from torch import Tensor

from plm_components.bench.call import Call, as_tuple
from plm_components.bench.clock import CudaClock, CudaStamp, cpu_clock, spin
from plm_components.bench.operation import Operation, Outputs
from plm_components.bench.rotation import InputSet, Rotation
from plm_components.bench.truth import Content

# until it is known how long the processor needs to hand out a call
_FIRST_SPIN_S = 300e-6
_MOST_SPIN_S = 50e-3


@dataclass
class Kept:
    """A timed round to look at again.

    Args:
        content: What it was given, which no call had seen before.
        untouched: Whether it left that as it was.
        answer: A copy, made behind the round in the stream's order.
    """

    content: Content
    untouched: bool
    answer: tuple[Tensor, ...]


@dataclass
class Round:
    """A call that is ready: call it between two stamps.

    Args:
        run: The call.
        place: The inputs.
        is_kept: Whether it was chosen to be verified.
    """

    run: Callable[[], Outputs]
    place: InputSet
    is_kept: bool
    _given: Outputs = field(default=())

    def __call__(self) -> None:
        """Runs it; nothing else is timed."""
        self._given = self.run()

    def take_answer(self) -> tuple[Tensor, ...]:
        """What it gave, to be let go of."""
        given, self._given = self._given, ()
        return as_tuple(given)


class Lane(Protocol):
    """What the rounds of every mode have in common."""

    clock: Callable[[], Any]
    kept: Kept | None

    def set_up(self) -> Round:
        """The next round, ready; whether it will be verified is decided here."""
        ...

    def clear(self, done: Round) -> None:
        """Puts a round away; its time has been taken."""
        ...

    def begin(self) -> None:
        """From here on rounds count: one of them will be verified."""
        ...

    def hide(self, host_s: float) -> None:
        """Says how long the processor needs to hand a call out."""
        ...


class CallLane:
    """A call at a time: ``cpu``, ``warm`` and ``cold``.

    Args:
        operation: What is timed.
        call: Whose.
        rotation: Where inputs come from; contenders of a mode share it.
    """

    def __init__(self, operation: Operation, call: Call, rotation: Rotation) -> None:
        self._device = operation.device
        self._call = call
        self._rotation = rotation
        self._choice = Choice()
        self._spin_s = _FIRST_SPIN_S
        self.kept: Kept | None = None
        cuda = operation.device.type == "cuda"
        self.clock: Callable[[], Any] = CudaClock(operation.device) if cuda else cpu_clock

    def set_up(self) -> Round:
        """Inputs in their place, and on a GPU a stream busy enough to hide the launch."""
        is_kept = self._choice.next()
        place = self._rotation.take(fresh=is_kept)
        if self._device.type == "cuda":
            spin(self._device, self._spin_s)
        call, inputs, cotangents = self._call, place.inputs, place.cotangents
        return Round(lambda: call(inputs, cotangents), place, is_kept)

    def clear(self, done: Round) -> None:
        """Keeps a copy of the chosen round, and gives the inputs back."""
        answer = done.take_answer()
        if done.is_kept:
            # before anything waits for the device
            read = copies(answer)
            self.kept = Kept(done.place.content, done.place.untouched, read)
        del answer
        self._rotation.give_back(done.place)

    def begin(self) -> None:
        """From here on rounds count: one of them will be verified."""
        self._choice.begin()

    def hide(self, host_s: float) -> None:
        """Sets how long a GPU's stream is kept busy while the processor hands a call out."""
        self._spin_s = min(2 * host_s + 50e-6, _MOST_SPIN_S)


class Choice:
    """Which round is verified: any one is as likely, and it is decided before it begins."""

    def __init__(self) -> None:
        # the system's own randomness: nothing that a kernel could seed
        self._chance = random.SystemRandom()
        self._counted: int | None = None

    def begin(self) -> None:
        """From here on rounds count."""
        self._counted = 0

    def next(self) -> bool:
        """Whether the next round takes the place of the one chosen so far."""
        if self._counted is None:
            return False
        self._counted += 1
        return self._chance.randrange(self._counted) == 0


@dataclass(frozen=True)
class Timing:
    """One round by the clock, and how long the processor took to hand it out."""

    seconds: float
    host_s: float
    hidden: bool


def time_round(lane: Lane) -> Timing:
    """Sets a round up, runs it between two stamps, and clears it away."""
    ready = lane.set_up()
    before = perf_counter()
    start = lane.clock()
    ready()
    end = lane.clock()
    host_s = perf_counter() - before
    # on a GPU: all was handed out before the device came to it
    hidden = not start.passed if isinstance(start, CudaStamp) else True
    lane.clear(ready)
    return Timing(end - start, host_s, hidden)


def copies(answer: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Copies in the stream's order."""
    with torch.no_grad():
        return tuple(tensor.detach().clone() for tensor in answer)
