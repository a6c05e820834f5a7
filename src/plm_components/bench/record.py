"""What is kept of a measurement: plain data, the same in JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

SCHEMA = 1
# never compared with one another; "cpu" is a call on a processor, caches as they are
Mode = Literal["cold", "warm", "graph", "cpu"]


@dataclass(frozen=True)
class Verdict:
    """What the gate found, each error as a multiple of the plain kernel's own.

    Args:
        largest: Largest error.
        rms: Root-mean-square error.
        decorrelation: One less the correlation with float64.
        fault: What is wrong, None where nothing is.
        trials: Other sizes at which it was right.
        declined: Other sizes that it declares it cannot do.
    """

    largest: float
    rms: float
    decorrelation: float
    fault: str | None = None
    trials: int = 0
    declined: int = 0


@dataclass(frozen=True)
class Record:
    """One contender on one operation in one mode.

    Args:
        operation: Name of the operation.
        kind: Kind of the part, None where it is none.
        sizes: As the operation has them.
        dtype: ``bfloat16``.
        device: ``cpu`` or ``cuda``.
        backward: Whether gradients were computed too.
        mode: How it was timed.
        part: Who computed it.
        provider: Distribution of the part.
        version: Of the distribution.
        precision: ``exact``, or ``fast`` where outputs are, or gradients that were asked for.
        verdict: What the gate found; None where it was refused.
        refused: Why it did not compete (not supported, unavailable, too large), None where it did.
        rounds_s: Seconds of every timed round; empty where it got no time.
        flops: Of one round at least.
        bytes: Of one round at least.
        peak_bytes: Device memory beyond the inputs, None where it is not known.
        roofline_s: The least time the measured roofline allows; None where it was not measured.
        conditions: Clocks, throttling, threads, warm-up: whatever a reader should know.
        oracle: Part that the contenders of this operation are compared with, None where there is
            none.
    """

    operation: str
    kind: str | None
    sizes: Mapping[str, int | str]
    dtype: str
    device: str
    backward: bool
    mode: Mode
    part: str
    provider: str
    version: str
    precision: str
    verdict: Verdict | None
    refused: str | None
    rounds_s: tuple[float, ...]
    flops: float
    bytes: float
    peak_bytes: int | None
    roofline_s: float | None
    conditions: Mapping[str, Any]
    oracle: str | None = None
