"""Where Triton kernels may run: on CUDA, and on the CPU where Triton interprets them."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from functools import cache

import torch
from torch import Tensor

from plm_components.errors import UnsupportedError

# plain integers: triton.cdiv and triton.next_power_of_2 cannot be traced by torch.compile


def blocks_of(size: int, block: int) -> int:
    """How many blocks cover a size."""
    return -(-size // block)


def power_of_2(size: int) -> int:
    """The least power of 2 that is no less than a positive size."""
    return 1 << (size - 1).bit_length()


FLOATS = (torch.float64, torch.float32, torch.bfloat16, torch.float16)


@cache
def interpreted() -> bool:
    """Whether this process interprets kernels: ``TRITON_INTERPRET=1`` when triton was imported."""
    from triton import JITFunction
    from triton.language import cdiv

    # triton's own functions became one thing or the other at its import, whatever is set since
    return not isinstance(cdiv, JITFunction)


def refuse_elsewhere(address: str, *tensors: Tensor, instead: str) -> None:
    """Refuses tensors that a kernel cannot be given.

    Args:
        address: Of the kernel, for the message.
        tensors: Of the call.
        instead: What does the same on any device, for the message.

    Raises:
        UnsupportedError: a tensor on another device than CUDA (or the CPU, interpreted), or of a
            dtype that is no float of 16 to 64 bits.
    """
    for tensor in tensors:
        device = tensor.device.type
        if device != "cuda" and not (device == "cpu" and interpreted()):
            raise UnsupportedError(
                f"{address} cannot run on {device}.",
                where=address,
                expected="tensors on a CUDA device; on the CPU, TRITON_INTERPRET=1 in the "
                "environment before triton is imported, for tests",
                fix=f"move the model to cuda, or set {instead}",
            )
        if tensor.dtype not in FLOATS:
            raise UnsupportedError(
                f"{address} cannot take {tensor.dtype}.",
                where=address,
                expected=", ".join(map(str, FLOATS)),
                fix="convert the tensors, say to torch.bfloat16",
            )


def launching_on(tensor: Tensor) -> AbstractContextManager[object]:
    """Triton launches on the current device, which need not be the tensor's."""
    return torch.cuda.device(tensor.device) if tensor.is_cuda else nullcontext()
