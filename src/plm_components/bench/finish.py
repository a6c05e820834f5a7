"""A record with its times, if nothing is wrong with them."""

from __future__ import annotations

from dataclasses import replace

from plm_components.bench.entrant import reason
from plm_components.bench.operation import Contender, Operation
from plm_components.bench.record import Record
from plm_components.bench.roofline import Roofline
from plm_components.bench.rotation import Rotation
from plm_components.bench.start import Started
from plm_components.bench.sweeps import Rounds
from plm_components.bench.verification import timing_fault


def finished(
    record: Record,
    operation: Operation,
    started: Started,
    rounds: Rounds,
    *,
    contender: Contender,
    rotation: Rotation,
    roofline: Roofline,
) -> Record:
    """A blank record filled in, or its verdict with the fault that the rounds have.

    Args:
        record: Blank, of a contender that passed the gate.
        operation: What was timed.
        started: Its lane, with the round that it kept.
        rounds: What was timed.
        contender: Who it was.
        rotation: Where the inputs came from.
        roofline: Of the device.
    """
    verdict = record.verdict
    assert verdict is not None, "nobody is timed without one"
    if rounds.failure is not None:
        fault: str | None = f"raised while it was timed: {reason(rounds.failure)}"
    else:
        fault = timing_fault(
            operation,
            started,
            rounds.seconds,
            mode=record.mode,
            contender=contender,
            rotation=rotation,
            roofline=roofline,
        )
    own = {**started.conditions}
    if rounds.hidden is not None and operation.device.type == "cuda":
        own["launch_hidden"] = rounds.hidden / max(1, len(rounds.seconds))
    record = replace(record, conditions={**record.conditions, **own})
    if fault is not None:
        return replace(record, verdict=replace(verdict, fault=fault))
    return replace(record, rounds_s=tuple(rounds.seconds), peak_bytes=started.peak_bytes)
