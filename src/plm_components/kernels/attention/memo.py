"""What was made of a mask, kept as long as that mask object lives.

Every layer of a forward pass asks with the same mask object.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from plm_components.contracts import CausalCached, Documents, Mask

T = TypeVar("T")


class MaskMemo(Generic[T]):
    """Remembers one result a mask: the latest sizes it was asked for."""

    def __init__(self) -> None:
        self._made: WeakKeyDictionary[Mask, tuple[Hashable, T]] = WeakKeyDictionary()

    def get(self, mask: Mask, sizes: Hashable, make: Callable[[], T]) -> T:
        """The result of ``make`` for this mask and these sizes, made once.

        Under ``torch.inference_mode`` it is made every time: such tensors do not count the writes
        into them, so nothing would tell that a mask has changed. Under ``torch.compile`` too, which
        makes what is equal once.
        """
        if torch.compiler.is_compiling():
            return make()
        tensor = _tensor_of(mask)
        if torch.is_inference_mode_enabled() or (tensor is not None and tensor.is_inference()):
            return make()
        # the version counts writes into the tensor: a mask changed in place is made again
        key = (sizes, 0 if tensor is None else tensor._version)
        found = self._made.get(mask)
        if found is None or found[0] != key:
            found = (key, make())
            self._made[mask] = found
        return found[1]


def _tensor_of(mask: Mask) -> Tensor | None:
    if isinstance(mask, Documents):
        return mask.cu_seqlens
    return mask.lengths_B if isinstance(mask, CausalCached) else None
