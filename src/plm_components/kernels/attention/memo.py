"""What was made of a mask, kept as long as that mask object lives.

Every layer of a forward pass asks with the same mask object.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary

from plm_components.contracts import CausalCached, Documents, Mask

T = TypeVar("T")


class MaskMemo(Generic[T]):
    """Remembers one result a mask: the latest sizes it was asked for."""

    def __init__(self) -> None:
        self._made: WeakKeyDictionary[Mask, tuple[Hashable, T]] = WeakKeyDictionary()

    def get(self, mask: Mask, sizes: Hashable, make: Callable[[], T]) -> T:
        """The result of ``make`` for this mask and these sizes, made once."""
        # the version counts writes into the tensor: a mask changed in place is made again
        key = (sizes, _version(mask))
        found = self._made.get(mask)
        if found is None or found[0] != key:
            found = (key, make())
            self._made[mask] = found
        return found[1]


def _version(mask: Mask) -> int:
    if isinstance(mask, Documents):
        return mask.cu_seqlens._version
    return mask.lengths_B._version if isinstance(mask, CausalCached) else 0
