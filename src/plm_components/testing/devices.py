"""Where the checks run: on the CPU, or on the device they were asked for."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch

from plm_components.errors import UsageError
from plm_components.zoo import Entry

# kinds whose work moves with the model; the others make ids and uint8 pixels on the CPU
ON_DEVICE = ("vision_encoder", "projector", "decoder", "decoder_block", "attention", "pooling")


def usable_device(name: str) -> str:
    """The name, if tensors can be had there.

    Raises:
        UsageError: there is no such device on this machine, or nothing can be computed on it.
    """
    try:
        torch.empty(1, device=name).cpu()
    except Exception as error:  # torch has another error for every way to lack a device
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UsageError(
            f"The checks cannot run on {name!r}: {first}",
            where="the device asked for (--plm-device, --device)",
            expected="cpu, or an accelerator of this machine such as cuda",
            fix="leave it out to check on the cpu, or run this where the device is",
        ) from error
    return name


def meant_for(device: str, entries: Sequence[Entry]) -> list[Entry]:
    """Those of the entries that have something to run there.

    Raises:
        UsageError: none has.
    """
    found = [entry for entry in entries if device == "cpu" or entry.kind in ON_DEVICE]
    if entries and not found:
        kinds = ", ".join(sorted({entry.kind for entry in entries}))
        raise UsageError(
            f"Nothing that was named runs on {device}, only on the cpu.",
            where=f"{kinds}, on the device asked for (--plm-device, --device)",
            expected=f"a part of {', '.join(ON_DEVICE)}",
            fix="leave the device out",
        )
    return found


@contextmanager
def full_precision() -> Iterator[None]:
    """float32 means float32: without TF32, in which convolutions run on CUDA unless told not to.

    A batch and a row of it may take different algorithms, and their results then differ by TF32's
    rounding, which is a thousand times float32's.
    """
    with warnings.catch_warnings():
        # torch 2.9 and later warn that these switches have newer names, which older ones lack
        warnings.simplefilter("ignore")
        before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    try:
        yield
    finally:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before
