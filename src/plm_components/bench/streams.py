"""What a device still does when its stream says that a call is over."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

import torch

from plm_components.bench.clock import CudaClock, spin

_LATE_S = 1e-3
_TRIES = 5


def delay(device: torch.device) -> None:
    """Keeps a GPU's stream busy, so that what is queued behind starts late; nothing on a CPU.

    Work that does not wait for the stream reads its inputs before they are there; work that the
    stream does not wait for is not done when the stream's next reader comes.
    """
    if device.type == "cuda":
        spin(device, _LATE_S)


def settle(device: torch.device) -> None:
    """Waits for everything on the device, whatever stream it is on."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def unfinished(run: Callable[[], object], device: torch.device) -> str | None:
    """What is wrong where the device is busy long after the stream's last event; else None."""
    if device.type != "cuda":
        return None
    tries = [_left_over(run, device) for _ in range(_TRIES)]
    # the least: somebody else's work may hold one of them up
    spent, left = min(tries, key=lambda pair: pair[1])
    if left <= 50e-6 + 0.1 * spent:
        return None
    return (
        f"the device works on for {left * 1e6:.0f} us after the stream has finished "
        f"({spent * 1e6:.0f} us by its events): work on a side stream"
    )


def _left_over(run: Callable[[], object], device: torch.device) -> tuple[float, float]:
    """Seconds by the stream's events, and seconds the device is busy beyond them."""
    clock = CudaClock(device)
    settle(device)
    start = clock()
    run()
    spent = clock() - start
    before = perf_counter()
    settle(device)
    return spent, perf_counter() - before
