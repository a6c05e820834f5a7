"""What a component needs: distributions read from metadata, devices asked only when it is used."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import cache
from importlib import import_module, metadata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from packaging.requirements import Requirement

# a device's name -> its compute capability, (0, 0) where devices of the name have none
Capability = Callable[[str], tuple[int, int] | None]

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


def found_versions(requires: Iterable[str]) -> tuple[str, ...]:
    """What is installed of the distributions, ``flash-attn 2.8.3``; imports none of them."""
    names = (_wanted(one) for one in requires if not is_device(one))
    found = ((wanted.name, _version(wanted.name)) for wanted in names if wanted is not None)
    return tuple(f"{name} {version}" for name, version in found if version is not None)


def unresolved_devices(requires: Iterable[str]) -> str | None:
    """``needs cuda``: said without asking the machine."""
    devices = [requirement for requirement in requires if is_device(requirement)]
    return f"needs {', '.join(devices)}" if devices else None


def required_devices(requires: Iterable[str]) -> set[str]:
    """The devices by name, without what they must be able to do."""
    matches = (_DEVICE.fullmatch(requirement) for requirement in requires)
    return {match[1] for match in matches if match is not None}


def missing_device(requires: Iterable[str], capability: Capability | None = None) -> str | None:
    """The first device that this machine lacks, as a reason.

    Args:
        requires: As a component declares it.
        capability: What a device of some name can do here, or None where there is none; torch is
            asked by default, and imported where a device is required.
    """
    capability = capability or _capability
    for requirement in requires:
        match = _DEVICE.fullmatch(requirement)
        if match is not None and not _is_enough(capability(match[1]), match[1], match[2]):
            return f"needs {requirement}, which this machine lacks"
    return None


def forget_versions() -> None:
    """What was read about distributions is read anew: something may have been installed."""
    _missing.cache_clear()
    _version.cache_clear()


def is_device(requirement: str) -> bool:
    """Whether a requirement names a device and not a distribution."""
    return _DEVICE.fullmatch(requirement) is not None


# a thousand parts may need the same few distributions, and metadata are long
@cache
def _missing(requirement: str) -> str | None:
    wanted = _wanted(requirement)
    if wanted is None:
        return f"has a malformed requirement {requirement!r}"
    if wanted.marker is not None and not wanted.marker.evaluate():
        return None
    version = _version(wanted.name)
    if version is None:
        return f"needs {requirement}, which is not installed"
    if not wanted.specifier.contains(version, prereleases=True):
        return f"needs {requirement}, and {version} is installed"
    return None


def _wanted(requirement: str) -> Requirement | None:
    # packaging is needed for versions and markers only, so listing without them stays light
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        return Requirement(requirement)
    except InvalidRequirement:
        return None


@cache
def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _is_enough(found: tuple[int, int] | None, device: str, least: str | None) -> bool:
    if found is None or device != "cuda" or least is None:
        return found is not None
    major, _, minor = least.partition(".")
    return found >= (int(major), int(minor or 0))


def _capability(device: str) -> tuple[int, int] | None:
    # by name: this floor has no torch, and asks for it only when a component is about to be used
    torch = import_module("torch")
    probes: dict[str, Callable[[], Any]] = {
        "cuda": lambda: torch.cuda.is_available(),
        "mps": lambda: torch.backends.mps.is_available(),
        "xpu": lambda: torch.xpu.is_available(),
    }
    if not probes[device]():
        return None
    if device != "cuda":
        return (0, 0)
    major, minor = torch.cuda.get_device_capability()
    return (int(major), int(minor))
