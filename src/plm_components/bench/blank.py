"""A record before its times: who, what, how, and what the gate said."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from plm_components.bench.entrant import Entrant
from plm_components.bench.operation import Operation
from plm_components.bench.record import Mode, Record
from plm_components.bench.roofline import Roofline
from plm_components.bench.rotation import Rotation


def blank_record(
    operation: Operation,
    entrant: Entrant,
    mode: Mode,
    roofline: Roofline | None,
    conditions: Mapping[str, Any],
) -> Record:
    """A record without a time.

    Args:
        operation: What is computed.
        entrant: Who computes it, with its verdict.
        mode: How it is timed.
        roofline: Of the device, None where it was not measured.
        conditions: Of everybody in this mode; the entrant's own are added.
    """
    contender = entrant.contender
    return Record(
        operation=operation.name,
        kind=operation.kind,
        sizes=dict(operation.sizes),
        dtype=str(operation.dtype).removeprefix("torch."),
        device=operation.device.type,
        backward=operation.backward,
        mode=mode,
        part=contender.part,
        provider=contender.provider,
        version=contender.version,
        precision=contender.precision_of(operation),
        verdict=entrant.verdict,
        refused=entrant.refused,
        rounds_s=(),
        flops=operation.work.flops,
        bytes=operation.work.bytes,
        peak_bytes=None,
        roofline_s=None if roofline is None else roofline.least_s(operation.work),
        conditions={**conditions, **entrant.conditions},
        oracle=operation.oracle,
    )


def shared_conditions(rotation: Rotation, roofline: Roofline, seed: int) -> dict[str, Any]:
    """What is true of every contender of one mode."""
    return {
        "inputs": rotation.how,
        "seed": seed,
        "torch": torch.__version__,
        "roofline": {"flops_per_s": roofline.flops_per_s, "bytes_per_s": roofline.bytes_per_s},
    }
