"""Which hardware this machine has, as far as it can be told without torch."""

from __future__ import annotations

import platform
import re
from functools import cache
from pathlib import Path

_PROCESSORS = Path("/proc/cpuinfo")
_NVIDIA = Path("/proc/driver/nvidia/gpus")


@cache
def processor_name() -> str:
    """The processor as its maker writes it; the architecture where the system does not tell."""
    named = _field(_PROCESSORS, "model name")
    return named or platform.processor() or platform.machine() or "unknown processor"


def devices_here() -> frozenset[tuple[str, str]]:
    """Type and name of each device: the processor, and what NVIDIA's driver lists on Linux.

    Elsewhere a GPU stays unnamed here; torch, where it may be imported, knows better.
    """
    named = {_field(file, "Model") for file in _NVIDIA.glob("*/information")}
    gpus = {("cuda", name) for name in named if name}
    return frozenset({("cpu", processor_name()), *gpus})


def _field(file: Path, name: str) -> str | None:
    """The first ``name : value`` of a file of the kernel's."""
    try:
        found = re.search(rf"^{name}\s*:\s*(.+)$", file.read_text(errors="replace"), re.M)
    except OSError:
        return None
    return " ".join(found[1].split()) if found else None
