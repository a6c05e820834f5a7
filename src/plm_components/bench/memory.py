"""Memory as a witness: filled with NaN before a call, looked at after it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

# a kernel's temporaries may take some of the blocks before its output does
_BLOCKS = 6
_MOST_BYTES = 2**29


def poison(like: Sequence[Tensor]) -> None:
    """Leaves NaN in the memory that the next tensors of these shapes are likely to get.

    On a GPU those are free blocks of the caching allocator; on a CPU, of the heap. What is fresh
    from the operating system holds zeros, which are no right answer either.
    """
    held = [block for tensor in like for block in _blocks(tensor)]
    for block in held:
        block.fill_(torch.nan if block.dtype.is_floating_point else torch.iinfo(block.dtype).max)


def identical(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors hold the same bits: NaN is like NaN."""
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    return torch.equal(_bits(one), _bits(other))


def shares_memory(one: Tensor, others: Iterable[Tensor]) -> bool:
    """Whether a tensor lies in the storage of one of the others."""
    return any(_storage(one) == _storage(other) for other in others)


def _blocks(tensor: Tensor) -> list[Tensor]:
    count = max(2, min(_BLOCKS, _MOST_BYTES // max(1, tensor.nbytes)))
    return [torch.empty_like(tensor) for _ in range(count)]


def _bits(tensor: Tensor) -> Tensor:
    return tensor.detach().contiguous().flatten().view(torch.uint8)


def _storage(tensor: Tensor) -> tuple[torch.device, int]:
    return tensor.device, tensor.untyped_storage().data_ptr()
