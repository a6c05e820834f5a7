"""How much of an operation a device may hold on chip."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import torch

_CPUS = Path("/sys/devices/system/cpu")
# where the system does not tell: larger than the last cache of most processors
_UNKNOWN = 64 << 20
_UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


@cache
def last_cache_bytes(device: torch.device) -> int:
    """Bytes of a device's last cache: L2 of a GPU, the last level of a processor, all of it."""
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).L2_cache_size)
    return last_level(_CPUS) or _UNKNOWN


def last_level(cpus: Path) -> int:
    """Bytes of the last level of cache, every one that some processors share counted once.

    Args:
        cpus: Linux's folder with ``cpu*/cache/index*``; 0 where that tells nothing.
    """
    caches = {
        (_text(index / "level"), _text(index / "shared_cpu_list")): _bytes(_text(index / "size"))
        for index in cpus.glob("cpu[0-9]*/cache/index[0-9]*")
    }
    last = max((level for level, _ in caches), default="")
    return sum(size for (level, _), size in caches.items() if level == last)


def _text(file: Path) -> str:
    try:
        return file.read_text().strip()
    except OSError:
        return ""


def _bytes(size: str) -> int:
    number, unit = size[:-1], size[-1:]
    return int(number) * _UNITS[unit] if unit in _UNITS and number.isdigit() else 0
