"""The machine that times belong to."""

from __future__ import annotations

import os
import platform
import re
from dataclasses import dataclass

import torch

from plm_components.bench.caches import last_cache_bytes
from plm_components.bench.nvml import NvmlError, gpu
from plm_components.measured import Machine, processor_name


@dataclass(frozen=True)
class Hardware:
    """What a time cannot be compared without.

    Args:
        device: Type of the device, ``cpu`` or ``cuda``.
        name: As its maker writes it.
        slug: The same for the name of a file; a processor's has its number of threads.
        torch: Version of torch.
        cuda: Version of CUDA that torch was built for, None without.
        driver: Version of NVIDIA's driver, or why it is not known; None on a processor.
        threads: That torch computes with.
        cores: Logical processors of the machine.
        cache_bytes: Of the device's last cache.
        memory_bytes: Of the device, None where it is not known.
        python: Version.
        system: Operating system and its release.
    """

    device: str
    name: str
    slug: str
    torch: str
    cuda: str | None
    driver: str | None
    threads: int
    cores: int | None
    cache_bytes: int
    memory_bytes: int | None
    python: str
    system: str

    @property
    def machine(self) -> Machine:
        """As a measured table names it."""
        return Machine(self.device, self.name, self.torch, self.threads)


def hardware(device: torch.device | str) -> Hardware:
    """The facts of a device, here and now."""
    where = torch.device(device)
    name = _name(where)
    threads = torch.get_num_threads()
    return Hardware(
        device=where.type,
        name=name,
        slug=slug(name if where.type != "cpu" else f"{name} {threads} threads"),
        torch=torch.__version__,
        cuda=torch.version.cuda if where.type == "cuda" else None,
        driver=_driver(where),
        threads=threads,
        cores=os.cpu_count(),
        cache_bytes=last_cache_bytes(where),
        memory_bytes=_memory_bytes(where),
        python=platform.python_version(),
        system=f"{platform.system()} {platform.release()}",
    )


def slug(name: str) -> str:
    """Small letters, digits and dashes: ``nvidia-h100-80gb-hbm3``."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def _name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else processor_name()


def _driver(device: torch.device) -> str | None:
    if device.type != "cuda":
        return None
    try:
        return gpu(device).driver
    except NvmlError as error:
        return f"unknown: {error}"


def _memory_bytes(device: torch.device) -> int | None:
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory)
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (OSError, ValueError, AttributeError):
        return None
