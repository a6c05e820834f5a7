"""What no honest call can be faster than."""

from __future__ import annotations

import torch

from plm_components.bench.caches import last_cache_bytes
from plm_components.bench.operation import Operation
from plm_components.bench.record import Mode
from plm_components.bench.roofline import Roofline

# A kernel may beat the probe a little. A processor's memory has faster and slower minutes, which
# its neighbours decide, and its probe may have met a slow one. Three TF32 products make one of
# fp32's precision, and a GPU does six to eight of them in the time of one in fp32.
_SLACK = {"cuda": 1.1, "cpu": 1.5}
_FP32_SLACK = {"cuda": 3.0, "cpu": 1.5}


def least_possible_s(
    operation: Operation, input_bytes: int, mode: Mode, roofline: Roofline
) -> float:
    """Seconds that a call cannot undercut, whatever the caches hold.

    Its operations are counted in every mode. Of its bytes only those count that no cache can
    have held: beyond the last cache when warm, inputs and what the cache cannot keep of the
    outputs when cold.

    Args:
        operation: What is computed.
        input_bytes: Of one set of its inputs.
        mode: How it is timed.
        roofline: As measured.
    """
    cache = last_cache_bytes(operation.device)
    work = operation.work
    if mode in ("cold", "graph"):
        outputs = max(0.0, work.bytes - input_bytes)
        bytes_moved = work.bytes - min(outputs, cache)
    else:
        bytes_moved = max(0.0, work.bytes - cache)
    least = max(work.flops / roofline.flops_per_s, bytes_moved / roofline.bytes_per_s)
    slack = _FP32_SLACK if operation.dtype == torch.float32 else _SLACK
    return least / slack[operation.device.type]


def impossible(seconds: float, least_s: float) -> str | None:
    """What is wrong with a time below that; None where nothing is."""
    if seconds >= least_s:
        return None
    return (
        f"timed at {seconds * 1e6:.3g} us, and this device cannot do that work in less than "
        f"{least_s * 1e6:.3g} us: it was not done"
    )
