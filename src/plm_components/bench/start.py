"""A contender on its lane, warm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from plm_components.bench.call import Call
from plm_components.bench.graph_lane import GraphLane
from plm_components.bench.lane import CallLane, Lane
from plm_components.bench.operation import Function, Operation
from plm_components.bench.record import Mode
from plm_components.bench.rotation import Rotation
from plm_components.bench.streams import settle
from plm_components.bench.warm_up import WarmUp, warm_up


@dataclass(frozen=True)
class Started:
    """A contender that has warmed up.

    Args:
        call: What is timed.
        lane: How.
        warm_up: How it came to its steady state.
        peak_bytes: Device memory of a call beyond its inputs, where it is known.
    """

    call: Call
    lane: Lane
    warm_up: WarmUp
    peak_bytes: int | None

    @property
    def conditions(self) -> dict[str, Any]:
        """Plain data for a record."""
        return {
            "warm_up_s": self.warm_up.seconds,
            "warm_up_rounds": self.warm_up.rounds,
            "steady": self.warm_up.is_steady,
        }


def start(
    operation: Operation, function: Function, mode: Mode, rotation: Rotation, most_s: float
) -> Started:
    """Warms a function up in one mode.

    Args:
        operation: What it computes.
        function: As its contender prepared it.
        mode: How it will be timed.
        rotation: Where inputs come from.
        most_s: Seconds of warming up.

    Raises:
        UnsupportedError: it cannot be captured in a graph.
    """
    call = Call.of(operation, function)
    kind = GraphLane if mode == "graph" else CallLane
    lane: Lane = kind(operation, call, rotation)
    warmed = warm_up(lane, most_s)
    return Started(call, lane, warmed, _peak_bytes(operation, call, rotation))


def _peak_bytes(operation: Operation, call: Call, rotation: Rotation) -> int | None:
    """Outputs included; a processor's is not known."""
    device, place = operation.device, rotation.sets[0]
    if device.type != "cuda":
        return None
    settle(device)
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    call(place.inputs, place.cotangents)
    settle(device)
    return torch.cuda.max_memory_allocated(device) - before
