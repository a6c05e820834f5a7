"""What a reader should know of the machine while times were taken."""

from __future__ import annotations

from time import perf_counter
from typing import Any, Protocol

import torch

from plm_components.bench.nvml import Gpu, NvmlError, gpu

# asking takes about as long as a kernel
_EVERY_S = 0.05


class Weather(Protocol):
    """Looks now and then, and tells at the end."""

    def look(self) -> None:
        """Notes the clocks, if the last look is long enough ago."""
        ...

    def told(self) -> dict[str, Any]:
        """Plain data for the conditions of a record."""
        ...


class GpuWeather:
    """Clocks and throttling of a GPU.

    Args:
        chip: Whom to ask.
    """

    def __init__(self, chip: Gpu) -> None:
        self._chip = chip
        self._most_mhz = chip.most_mhz
        self._clocks: list[int] = []
        self._throttled: dict[str, int] = {}
        self._celsius: list[int] = []
        self._last = 0.0
        self._failure = "nobody looked"

    def look(self) -> None:
        """Notes clock, temperature and reasons."""
        if perf_counter() - self._last < _EVERY_S:
            return
        try:
            seen = self._chip.clock_mhz, self._chip.celsius, self._chip.throttled_by
        except NvmlError as error:
            self._failure = str(error)
            return
        self._clocks.append(seen[0])
        self._celsius.append(seen[1])
        for reason in seen[2]:
            self._throttled[reason] = self._throttled.get(reason, 0) + 1
        self._last = perf_counter()

    def told(self) -> dict[str, Any]:
        """Range of the clock, how hot it was, and in which share of looks it was held down."""
        if not self._clocks:
            return {"clocks": f"unknown: {self._failure}"}
        looks = len(self._clocks)
        return {
            "clocks": {
                "sm_mhz": [min(self._clocks), max(self._clocks)],
                "sm_most_mhz": self._most_mhz,
                "celsius": [min(self._celsius), max(self._celsius)],
                "looks": looks,
            },
            "throttled": {reason: seen / looks for reason, seen in self._throttled.items()},
        }


class NoWeather:
    """Where nobody can be asked.

    Args:
        reason: Why not.
    """

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def look(self) -> None:
        """There is nothing to see."""

    def told(self) -> dict[str, Any]:
        """That it is unknown, and why."""
        return {"clocks": f"unknown: {self._reason}"}


def weather(device: torch.device) -> Weather:
    """Somebody to look at a device's clocks."""
    if device.type != "cuda":
        return NoWeather("a processor's clocks are not asked for")
    try:
        return GpuWeather(gpu(device))
    except NvmlError as error:
        return NoWeather(str(error))
