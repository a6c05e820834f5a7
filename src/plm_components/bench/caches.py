"""How much of an operation a device may hold on chip."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import torch

_CACHES = Path("/sys/devices/system/cpu/cpu0/cache")
# where the system does not tell: larger than the last cache of most processors
_UNKNOWN = 64 << 20


@cache
def last_cache_bytes(device: torch.device) -> int:
    """Bytes of a device's last cache: L2 of a GPU, the largest cache of a processor."""
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).L2_cache_size)
    return largest_cache(_CACHES) or _UNKNOWN


def largest_cache(folder: Path) -> int:
    """The largest ``index*/size`` below a folder of Linux's, in bytes; 0 where there is none."""
    sizes = [path.read_text().strip() for path in folder.glob("index*/size")]
    return max((_bytes(size) for size in sizes), default=0)


def _bytes(size: str) -> int:
    units = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
    number, unit = size[:-1], size[-1:]
    return int(number) * units[unit] if unit in units and number.isdigit() else 0
