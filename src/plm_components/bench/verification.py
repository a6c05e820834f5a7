"""After timing: whether the timed rounds did the work."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from plm_components.bench.call import Call
from plm_components.bench.judgement import judgement
from plm_components.bench.lane import Kept
from plm_components.bench.limits import impossible, least_possible_s
from plm_components.bench.operation import Contender, Operation
from plm_components.bench.record import Mode
from plm_components.bench.roofline import Roofline
from plm_components.bench.rotation import Rotation
from plm_components.bench.start import Started
from plm_components.bench.streams import unfinished
from plm_components.bench.truth import answers


def timing_fault(
    operation: Operation,
    started: Started,
    rounds_s: Sequence[float],
    *,
    mode: Mode,
    contender: Contender,
    rotation: Rotation,
    roofline: Roofline,
) -> str | None:
    """What is wrong with times that were taken; None where nothing is.

    Args:
        operation: What was timed.
        started: Whose lane it was, with the round that it kept.
        rounds_s: Seconds of every round.
        mode: How it was timed.
        contender: Who it was.
        rotation: Where the inputs came from.
        roofline: Of the device.
    """
    place = rotation.sets[0]
    least = least_possible_s(operation, rotation.set_bytes, mode, roofline)
    return (
        verified(operation, started.call, started.lane.kept, contender)
        or unfinished(lambda: started.call(place.inputs, place.cotangents), operation.device)
        or impossible(median(rounds_s), least)
    )


def verified(
    operation: Operation, call: Call, kept: Kept | None, contender: Contender
) -> str | None:
    """What is wrong with the timed round that was kept; None where nothing is."""
    if kept is None:
        return "no timed round was kept to be verified"
    if not kept.untouched:
        return "an input was written to in a timed round"
    truth = answers(operation, kept.content, "normal")
    found = judgement(kept.answer, truth, call.names(truth.num_outputs), contender)
    return f"in a timed round: {found.fault}" if found.fault else None
