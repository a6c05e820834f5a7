"""What a call asks of an attention kernel, its sizes rounded so that near calls are one."""

from __future__ import annotations

from dataclasses import dataclass
from math import log2

import torch

from plm_components.contracts import Mask
from plm_components.measured import Row

# a measurement counts up to a factor of four in each size
_NEAR_DOUBLINGS = 2.0


@dataclass(frozen=True)
class Request:
    """A call of ``auto``, in what decides who computes it.

    Args:
        group: Query heads that share a key/value head.
        head_dim: Channels of a head.
        device: Where.
        dtype: Of inputs and output.
        mask: Class of the mask.
        backward: Whether gradients are wanted.
        num_heads: Query heads of all rows together, since each is computed alone; rounded.
        num_queries: Queries a row, rounded.
        num_keys: Keys a row, rounded.
    """

    group: int
    head_dim: int
    device: torch.device
    dtype: torch.dtype
    mask: type[Mask]
    backward: bool
    num_heads: int
    num_queries: int
    num_keys: int

    def is_met_by(self, row: Row) -> bool:
        """Whether a row measured this computation, at whatever lengths."""
        return (
            row.kind == "attention"
            and row.mask == self.mask.__name__
            and f"torch.{row.dtype}" == str(self.dtype)
            and row.backward == self.backward
            and row.head_dim == self.head_dim
            and row.num_heads // row.num_kv_heads == self.group
        )

    def distance(self, row: Row) -> float | None:
        """Doublings between the sizes and a row's, added up; None where the row is not near.

        One query is near to one query only: decoding is another computation than reading.
        """
        if (self.num_queries == 1) != (row.num_queries == 1):
            return None
        pairs = (
            (self.num_heads, row.batch * row.num_heads),
            (self.num_queries, row.num_queries),
            (self.num_keys, row.num_keys),
        )
        apart = [abs(log2(own / measured)) for own, measured in pairs]
        return None if max(apart) > _NEAR_DOUBLINGS else sum(apart)

    def __str__(self) -> str:
        return (
            f"{self.mask.__name__} in {str(self.dtype).removeprefix('torch.')} on {self.device}"
            f"{', with gradients' if self.backward else ''} (head_dim {self.head_dim}, "
            f"{self.group} to a key/value head, about {self.num_queries:,} queries by "
            f"{self.num_keys:,} keys)"
        )


def rounded(count: int) -> int:
    """The nearest power of two, by ratio.

    >>> [rounded(n) for n in (1, 2, 3, 5, 6, 1025, 1449)]
    [1, 2, 4, 4, 8, 1024, 2048]
    """
    # comparisons alone, so that torch.compile follows it for lengths that vary
    power = 1
    while count * count > 2 * power * power:
        power *= 2
    return power
