"""Stamps of time: subtract an earlier one and get seconds, of a processor or of a GPU's stream."""

from __future__ import annotations

from functools import cache
from time import perf_counter

import torch

# about 2 ms
_CALIBRATION_CYCLES = 4_000_000
_CALIBRATIONS = 20


class CudaStamp:
    """A point in the order of a CUDA stream; the device notes when it gets there.

    Args:
        event: Recorded on the stream.
        calls: How many calls lie between two stamps: the seconds are those of one.
    """

    __slots__ = ("_calls", "_event")

    def __init__(self, event: torch.cuda.Event, calls: int = 1) -> None:
        self._event = event
        self._calls = calls

    def __sub__(self, earlier: CudaStamp) -> float:
        """Seconds of one call, by the device's clock; waits until the device has got here."""
        self._event.synchronize()
        milliseconds = float(earlier._event.elapsed_time(self._event))
        return milliseconds / 1e3 / self._calls

    @property
    def passed(self) -> bool:
        """Whether the device has got here already."""
        return bool(self._event.query())  # type: ignore[no-untyped-call]  # torch has no types


class CudaClock:
    """Stamps of the current stream of one GPU: a timer of which only ``t2 - t1`` is used.

    Args:
        device: Which GPU.
        calls: How many calls lie between two stamps.
    """

    def __init__(self, device: torch.device, calls: int = 1) -> None:
        self._device = device
        self._calls = calls

    def __call__(self) -> CudaStamp:
        """A stamp behind everything that the stream has been given."""
        stamp = event()
        stamp.record(torch.cuda.current_stream(self._device))
        return CudaStamp(stamp, self._calls)


def cpu_clock() -> float:
    """Seconds of a clock that only runs forward."""
    return perf_counter()


def event() -> torch.cuda.Event:
    """An event that notes its time."""
    return torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]  # torch has no types


def spin(device: torch.device, seconds: float) -> None:
    """Keeps the current stream of a GPU busy for about as long."""
    with torch.cuda.device(device):
        _sleep(max(1, int(seconds * _cycles_per_s(device))))


@cache
def _cycles_per_s(device: torch.device) -> float:
    """What ``_sleep`` counts, by the device's own events."""
    with torch.cuda.device(device):
        clock = CudaClock(device)
        rates = []
        # the first ones load the kernel and wake the device
        for _ in range(_CALIBRATIONS):
            start = clock()
            _sleep(_CALIBRATION_CYCLES)
            rates.append(_CALIBRATION_CYCLES / (clock() - start))
        return max(rates)


def _sleep(cycles: int) -> None:
    torch.cuda._sleep(cycles)  # type: ignore[no-untyped-call]  # torch has no types
