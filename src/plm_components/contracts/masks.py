"""The masks an attention kernel may be asked for: one frozen family, never a bare tensor.

Batches are right-padded everywhere inside, so a causal mask needs no padding mask: no valid query
can see a pad to its right.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor


@dataclass(frozen=True)
class Full:
    """Every query sees every key."""

    def allowed(self, num_queries: int, num_keys: int, *, device: torch.device) -> Tensor:
        """``(1, L, S)`` bool, true where a query may look."""
        return torch.ones(1, num_queries, num_keys, dtype=torch.bool, device=device)


@dataclass(frozen=True)
class Causal:
    """Query ``i`` sees keys ``0..i``; as many keys as queries."""

    def allowed(self, num_queries: int, num_keys: int, *, device: torch.device) -> Tensor:
        """``(1, L, S)`` bool, true where a query may look."""
        query_L1 = torch.arange(num_queries, device=device)[:, None]
        key_1S = torch.arange(num_keys, device=device)[None]
        return (key_1S <= query_L1)[None]


@dataclass(frozen=True, eq=False)
class Documents:
    """Several documents packed into one row; causal within each, blind between them.

    Args:
        cu_seqlens: ``(num_documents + 1,)`` int, starts of the documents and the total length.
        shared_prefix: Length of a head that every document sees (media that several questions
            share): positions ``0..shared_prefix - 1`` are causal among themselves and visible to
            all; ``cu_seqlens`` then starts at ``shared_prefix``.
    """

    cu_seqlens: Tensor
    shared_prefix: int = 0

    def allowed(self, num_queries: int, num_keys: int, *, device: torch.device) -> Tensor:
        """``(1, L, S)`` bool, true where a query may look."""
        query_L = torch.arange(num_queries, device=device)
        key_S = torch.arange(num_keys, device=device)
        starts = self.cu_seqlens.to(device)
        document_L = torch.searchsorted(starts, query_L, right=True)
        document_S = torch.searchsorted(starts, key_S, right=True)
        same_LS = document_L[:, None] == document_S[None]
        visible_LS = same_LS | (key_S < self.shared_prefix)[None]
        return (visible_LS & (key_S[None] <= query_L[:, None]))[None]


@dataclass(frozen=True, eq=False)
class CausalCached:
    """New queries behind a cache whose rows are filled to different lengths.

    Args:
        lengths_B: ``(B,)`` int, each row's valid cache length *before* this call's keys were
            appended: query ``i`` of row ``b`` sees keys ``0..lengths_B[b] + i``.
    """

    lengths_B: Tensor

    def allowed(self, num_queries: int, num_keys: int, *, device: torch.device) -> Tensor:
        """``(B, L, S)`` bool, true where a query may look."""
        query_L = torch.arange(num_queries, device=device)
        last_BL = self.lengths_B.to(device)[:, None] + query_L[None]
        key_S = torch.arange(num_keys, device=device)
        return key_S[None, None] <= last_BL[:, :, None]


Mask: TypeAlias = Full | Causal | Documents | CausalCached
