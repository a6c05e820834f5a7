"""The hardware that a tensor is on, as measured tables name it."""

from __future__ import annotations

import torch

from plm_components.measured import Machine, processor_name


def machine_of(device: torch.device) -> Machine | None:
    """The machine behind a device; None where this one has no such device, or it has no name.

    Args:
        device: As of a tensor; without an index it is the current one.
    """
    name = _name(device)
    if name is None:
        return None
    return Machine(device.type, name, str(torch.__version__), torch.get_num_threads())


def _name(device: torch.device) -> str | None:
    if device.type == "cpu":
        return processor_name()
    if device.type == "cuda" and torch.cuda.is_available():
        return torch.cuda.get_device_name(device)
    if device.type == "xpu" and torch.xpu.is_available():
        return str(torch.xpu.get_device_name(device))
    # Apple's GPU is part of its processor
    here = device.type == "mps" and torch.backends.mps.is_available()
    return processor_name() if here else None
