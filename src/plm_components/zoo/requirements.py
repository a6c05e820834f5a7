"""What a component needs: distributions read from metadata, devices asked only when it is used."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from importlib import import_module, metadata
from typing import Any

_DEVICE = re.compile(r"(cuda|mps|xpu)\s*(?:>=\s*(\d+(?:\.\d+)?))?")


def missing_package(requires: Iterable[str]) -> str | None:
    """The first distribution that is absent or too old, as a reason; imports none of them."""
    for requirement in requires:
        if is_device(requirement):
            continue
        reason = _missing(requirement)
        if reason is not None:
            return reason
    return None


def unresolved_devices(requires: Iterable[str]) -> str | None:
    """``needs cuda``: said without asking the machine."""
    devices = [requirement for requirement in requires if is_device(requirement)]
    return f"needs {', '.join(devices)}" if devices else None


def missing_device(requires: Iterable[str]) -> str | None:
    """The first device that this machine lacks, as a reason. Imports torch where one is needed."""
    for requirement in requires:
        match = _DEVICE.fullmatch(requirement)
        if match is not None and not _has_device(match[1], match[2]):
            return f"needs {requirement}, which this machine lacks"
    return None


def is_device(requirement: str) -> bool:
    """Whether a requirement names a device and not a distribution."""
    return _DEVICE.fullmatch(requirement) is not None


def _missing(requirement: str) -> str | None:
    # packaging is needed for versions and markers only, so listing without them stays light
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        wanted = Requirement(requirement)
    except InvalidRequirement:
        return f"has a malformed requirement {requirement!r}"
    if wanted.marker is not None and not wanted.marker.evaluate():
        return None
    try:
        version = metadata.version(wanted.name)
    except metadata.PackageNotFoundError:
        return f"needs {requirement}, which is not installed"
    if not wanted.specifier.contains(version, prereleases=True):
        return f"needs {requirement}, and {version} is installed"
    return None


def _has_device(device: str, least: str | None) -> bool:
    # by name: this floor has no torch, and asks for it only when a component is about to be used
    torch = import_module("torch")
    probes: dict[str, Callable[[], Any]] = {
        "cuda": lambda: torch.cuda.is_available(),
        "mps": lambda: torch.backends.mps.is_available(),
        "xpu": lambda: torch.xpu.is_available(),
    }
    if not probes[device]():
        return False
    if device != "cuda" or least is None:
        return True
    major, _, minor = least.partition(".")
    return bool(torch.cuda.get_device_capability() >= (int(major), int(minor or 0)))
