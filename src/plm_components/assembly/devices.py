"""A device by its name, tried before anything is built for it."""

from __future__ import annotations

import torch

from plm_components.errors import UnavailableError, UsageError


def as_device(name: str | torch.device) -> torch.device:
    """The device of this name, whether or not it is here.

    Raises:
        UsageError: a name that is no device's.
    """
    try:
        return torch.device(name)
    except (RuntimeError, TypeError) as error:
        raise UsageError(
            f"There is no device {name!r}.",
            where="device",
            expected="cpu, meta, or a device that plm doctor lists",
            fix="plm doctor",
        ) from error


def usable_device(name: str | torch.device) -> torch.device:
    """The device of this name, after a tensor was put there.

    Raises:
        UsageError: a name that is no device's.
        UnavailableError: torch cannot use it here; says why.
    """
    device = as_device(name)
    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        # torch says why in its first line: no driver, no such number, built without it
        why = str(error).strip().splitlines()[0]
        raise UnavailableError(
            f"The device {str(device)!r} cannot be used: {why}",
            where="device",
            expected="cpu, or a device that plm doctor lists",
            fix="plm doctor",
        ) from error
    return device
