"""How a tensor of one format becomes the same tensor of another: rows moved, leading ones added.

Each change knows the shape it makes, so files are compared with a model before a weight is read,
and its inverse, which writes what it reads.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

Shape = tuple[int, ...]


class Change(Protocol):
    """A reversible change of one tensor."""

    def __call__(self, tensor: Tensor) -> Tensor:
        """The changed tensor."""
        ...

    def shape(self, before: Shape) -> Shape:
        """Of what comes out; whatever does not fit is returned as it is, and fails as a shape."""
        ...

    @property
    def inverse(self) -> Change:
        """The change that undoes this one."""
        ...


@dataclass(frozen=True)
class HalfSplitRows:
    """Rows of a query or key matrix, interleaved -> half-split: what the original layout needs.

    Row ``h*d + j`` becomes what was row ``h*d + 2*j``, row ``h*d + d/2 + j`` what was
    ``h*d + 2*j + 1``, for heads of ``d`` rows.

    Args:
        num_heads: Heads of the matrix: key/value heads for keys.
    """

    num_heads: int

    def __call__(self, tensor: Tensor) -> Tensor:
        """``(H*d, I)`` -> a copy of the same shape."""
        pairs_Hp2I = tensor.reshape(self.num_heads, -1, 2, *tensor.shape[1:])
        return pairs_Hp2I.transpose(1, 2).reshape(tensor.shape)

    def shape(self, before: Shape) -> Shape:
        """The same."""
        return before

    @property
    def inverse(self) -> InterleavedRows:
        """Back to the other layout."""
        return InterleavedRows(self.num_heads)


@dataclass(frozen=True)
class InterleavedRows:
    """Rows of a query or key matrix, half-split -> interleaved: undoes :class:`HalfSplitRows`.

    Args:
        num_heads: Heads of the matrix: key/value heads for keys.
    """

    num_heads: int

    def __call__(self, tensor: Tensor) -> Tensor:
        """``(H*d, I)`` -> a copy of the same shape."""
        halves_H2pI = tensor.reshape(self.num_heads, 2, -1, *tensor.shape[1:])
        return halves_H2pI.transpose(1, 2).reshape(tensor.shape)

    def shape(self, before: Shape) -> Shape:
        """The same."""
        return before

    @property
    def inverse(self) -> HalfSplitRows:
        """Back to the other layout."""
        return HalfSplitRows(self.num_heads)


@dataclass(frozen=True)
class LeadingOnes:
    """``(...)`` -> ``(1, ..., 1, ...)``.

    Args:
        count: Axes of length one to put in front.
    """

    count: int

    def __call__(self, tensor: Tensor) -> Tensor:
        """A view of another shape."""
        return tensor.view(self.shape(tuple(tensor.shape)))

    def shape(self, before: Shape) -> Shape:
        """Longer by ``count`` ones."""
        return (1,) * self.count + before

    @property
    def inverse(self) -> WithoutLeadingOnes:
        """Back to the other layout."""
        return WithoutLeadingOnes(self.count)


@dataclass(frozen=True)
class WithoutLeadingOnes:
    """``(1, ..., 1, ...)`` -> ``(...)``: undoes :class:`LeadingOnes`.

    Args:
        count: Axes of length one to take away.
    """

    count: int

    def __call__(self, tensor: Tensor) -> Tensor:
        """A view of another shape."""
        return tensor.view(self.shape(tuple(tensor.shape)))

    def shape(self, before: Shape) -> Shape:
        """Shorter by ``count`` ones, if they are there."""
        ones = before[: self.count] == (1,) * self.count
        return before[self.count :] if ones else before

    @property
    def inverse(self) -> LeadingOnes:
        """Back to the other layout."""
        return LeadingOnes(self.count)
