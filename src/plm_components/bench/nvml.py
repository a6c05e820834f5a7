"""What NVIDIA's driver says of a GPU: clocks, and why they are not higher. Nothing is changed."""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

import torch

_SM_CLOCK = 1
# reasons that are no throttling: idle, clocks set by an application, display
_HARMLESS = 0x1 | 0x2 | 0x100
_REASONS = {
    0x4: "power cap",
    0x8: "hardware slowdown",
    0x10: "sync boost",
    0x20: "thermal, by software",
    0x40: "thermal, by hardware",
    0x80: "power brake",
}


class NvmlError(Exception):
    """The driver could not be asked; the text says why."""


class Gpu:
    """One GPU, as the driver knows it.

    Args:
        uuid: As torch gives it, without the driver's prefix.
        library: ``libnvidia-ml``.

    Raises:
        NvmlError: there is no driver, or it does not know the GPU.
    """

    def __init__(self, uuid: str, library: Any = None) -> None:
        self._library = library if library is not None else _library()
        self._handle = ctypes.c_void_p()
        self._ask("nvmlInit_v2")
        name = f"GPU-{uuid.removeprefix('GPU-')}".encode()
        self._ask("nvmlDeviceGetHandleByUUID", name, ctypes.byref(self._handle))

    @property
    def clock_mhz(self) -> int:
        """Of the multiprocessors, now."""
        return self._number("nvmlDeviceGetClockInfo", _SM_CLOCK)

    @property
    def most_mhz(self) -> int:
        """That the multiprocessors can have."""
        return self._number("nvmlDeviceGetMaxClockInfo", _SM_CLOCK)

    @property
    def celsius(self) -> int:
        """Of the chip, now."""
        return self._number("nvmlDeviceGetTemperature", 0)

    @property
    def throttled_by(self) -> tuple[str, ...]:
        """Why the clock is held down now; empty where it is not."""
        bits = ctypes.c_ulonglong()
        self._ask("nvmlDeviceGetCurrentClocksThrottleReasons", self._handle, ctypes.byref(bits))
        return throttling(bits.value)

    @property
    def driver(self) -> str:
        """Version of the driver."""
        text = ctypes.create_string_buffer(96)
        self._ask("nvmlSystemGetDriverVersion", text, ctypes.c_uint(len(text)))
        return text.value.decode()

    def _number(self, name: str, which: int) -> int:
        number = ctypes.c_uint()
        self._ask(name, self._handle, ctypes.c_uint(which), ctypes.byref(number))
        return number.value

    def _ask(self, name: str, *arguments: Any) -> None:
        try:
            code = getattr(self._library, name)(*arguments)
        except AttributeError:
            raise NvmlError(f"this driver has no {name}") from None
        if code:
            raise NvmlError(f"{name} answers {code}")


def gpu(device: torch.device) -> Gpu:
    """The driver's side of a torch device.

    Raises:
        NvmlError: see ``Gpu``.
    """
    return Gpu(str(torch.cuda.get_device_properties(device).uuid))


def throttling(bits: int) -> tuple[str, ...]:
    """The driver's bits in words; what it does not explain is named by its bit."""
    told = [name for bit, name in _REASONS.items() if bits & bit]
    rest = bits & ~_HARMLESS & ~sum(_REASONS)
    return (*told, hex(rest)) if rest else tuple(told)


@cache
def _library() -> Any:
    try:
        return ctypes.CDLL("libnvidia-ml.so.1")
    except OSError as error:
        raise NvmlError(f"no driver library: {error}") from error
