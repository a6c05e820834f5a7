"""Ragged rows laid end to end, as kernels with ``cu_seqlens`` take them.

A block of queries sees a block of keys, causally, aligned at their last positions. Documents are
blocks of their row; behind a shared prefix, a document's keys are the prefix and its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate, pairwise

import torch
from torch import Tensor

from plm_components.contracts import CausalCached, Documents
from plm_components.errors import ShapeError, UnsupportedError
from plm_components.kernels.attention.memo import MaskMemo


@dataclass(frozen=True, eq=False)
class Packing:
    """Where the blocks lie.

    Args:
        query_lens: Length of each block of queries; together all ``B * L`` of them.
        key_lens: Length of the block of keys that it sees, no shorter.
        query_starts: ``(blocks + 1,)`` int32, running sum of ``query_lens``.
        key_starts: ``(blocks + 1,)`` int32, running sum of ``key_lens``.
        key_index: Which of all ``B * S`` keys the blocks are made of, in order; None for all.
    """

    query_lens: list[int]
    key_lens: list[int]
    query_starts: Tensor
    key_starts: Tensor
    key_index: Tensor | None

    def keys(self, x_BGSh: Tensor) -> Tensor:
        """``(B, G, S, h)`` -> ``(sum(key_lens), G, h)``; a copy only where keys are chosen."""
        flat = flatten_rows(x_BGSh)
        return flat if self.key_index is None else flat.index_select(0, self.key_index)


def flatten_rows(x_BHLh: Tensor) -> Tensor:
    """``(B, H, L, h)`` -> ``(B * L, H, h)``."""
    return x_BHLh.transpose(1, 2).flatten(0, 1)


def unflatten_rows(x_THh: Tensor, num_rows: int) -> Tensor:
    """``(B * L, H, h)`` -> ``(B, H, L, h)``."""
    return torch.unflatten(x_THh, 0, (num_rows, -1)).transpose(1, 2)


_PACKED: MaskMemo[Packing] = MaskMemo()


def pack(address: str, mask: Documents | CausalCached, q_BHLh: Tensor, k_BGSh: Tensor) -> Packing:
    """The blocks of a call, made once a forward pass: the lengths are read from the device.

    Args:
        address: Of the kernel, for messages.
        mask: Mask of the call.
        q_BHLh: Queries of the call.
        k_BGSh: Keys of the call.

    Raises:
        ShapeError: documents over other than as many keys as queries, or fewer keys than a
            cache's lengths say.
        UnsupportedError: a query sees no key.
    """
    num_rows, num_queries, num_keys = len(q_BHLh), q_BHLh.shape[2], k_BGSh.shape[2]

    def make() -> Packing:
        if isinstance(mask, Documents):
            blocks = _document_blocks(address, mask, num_rows, num_queries, num_keys)
        else:
            blocks = _cache_blocks(address, mask, num_queries, num_keys)
        return _packing(list(blocks), num_rows * num_keys, q_BHLh.device)

    return _PACKED.get(mask, (address, num_rows, num_queries, num_keys, q_BHLh.device), make)


# the length of a block of queries, and the stretches of keys that it sees
_Block = tuple[int, tuple[range, ...]]


def _packing(blocks: list[_Block], num_keys: int, device: torch.device) -> Packing:
    query_lens = [length for length, _ in blocks]
    key_lens = [sum(map(len, stretches)) for _, stretches in blocks]
    stretches = [stretch for _, seen in blocks for stretch in seen if stretch]
    in_order = [0, *(stretch.stop for stretch in stretches)]
    whole = in_order[-1] == num_keys and all(
        stretch.start == end for stretch, end in zip(stretches, in_order, strict=False)
    )
    index = None if whole else torch.cat([torch.arange(s.start, s.stop) for s in stretches])
    return Packing(
        query_lens,
        key_lens,
        _starts(query_lens, device),
        _starts(key_lens, device),
        None if index is None else index.to(device),
    )


def _starts(lengths: list[int], device: torch.device) -> Tensor:
    return torch.tensor([0, *accumulate(lengths)], dtype=torch.int32, device=device)


def _document_blocks(
    address: str, mask: Documents, num_rows: int, num_queries: int, num_keys: int
) -> Iterator[_Block]:
    if num_queries != num_keys:
        raise ShapeError(
            f"A Documents mask over {num_queries} queries and {num_keys} keys.",
            where=address,
            expected="as many keys as queries",
            fix="behind a cache pass CausalCached(lengths_B) instead of Documents(...)",
        )
    inner = (start for start in mask.cu_seqlens.tolist() if 0 < start < num_keys)
    bounds = [0, *inner, num_keys]
    for row in range(0, num_rows * num_keys, num_keys):
        for start, end in pairwise(bounds):
            if start < end:
                # a document that begins inside the prefix sees what of it comes before
                prefix = min(start, mask.shared_prefix)
                stretches = (range(row, row + prefix), range(row + start, row + end))
                yield end - start, stretches


def _cache_blocks(
    address: str, mask: CausalCached, num_queries: int, num_keys: int
) -> Iterator[_Block]:
    for row, length in enumerate(cached_lengths(address, mask, num_queries, num_keys)):
        start = row * num_keys
        yield num_queries, (range(start, start + length + num_queries),)


def cached_lengths(address: str, mask: CausalCached, num_queries: int, num_keys: int) -> list[int]:
    """Each row's length before this call, read from the device.

    Raises:
        ShapeError: fewer keys than a length says.
        UnsupportedError: a query sees no key.
    """
    lengths: list[int] = mask.lengths_B.tolist()
    if min(lengths) < 0:
        raise UnsupportedError(
            f"{address} cannot do a query that sees no key (a cache of length {min(lengths)}).",
            where=address,
            expected="lengths_B of 0 or more",
            fix="choose another attention part for this slot: attention=eager does everything",
        )
    if max(lengths) + num_queries > num_keys:
        raise ShapeError(
            f"{num_queries} queries behind a cache of {max(lengths)}, over {num_keys} keys.",
            where=address,
            expected=f"at least {max(lengths) + num_queries} keys: the cache and the new ones",
            fix="append this call's keys to the cache before attending",
        )
    return lengths
