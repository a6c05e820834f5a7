"""Our rows under transformers' cache: one allocation a layer instead of a copy a step."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache as TransformersCache
from transformers.cache_utils import CacheLayerMixin

from plm_components.decoders.rows import RowLengths


class _Layer(CacheLayerMixin):  # type: ignore[misc]
    """One layer's keys and values, ``(B, G, max_len, h)`` each, made when first written."""

    is_sliding = False

    def __init__(self, rows: RowLengths) -> None:
        super().__init__()
        self.rows = rows

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Allocates for the whole request; zeros, because 0 x NaN is NaN."""
        self.keys, self.values = self._empty(key_states), self._empty(value_states)
        self.is_initialized = True

    def _empty(self, like_BGLh: Tensor) -> Tensor:
        batch, heads, _, dim = like_BGLh.shape
        return like_BGLh.new_zeros(batch, heads, self.rows.max_len, dim)

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Writes behind each row's valid length."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        return self.rows.place(self.keys, key_states), self.rows.place(self.values, value_states)

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """Keys after this call, and where they begin."""
        return self.rows.longest + query_length, 0

    def get_seq_length(self) -> int:
        """Positions of the longest row."""
        return self.rows.longest

    def get_max_length(self) -> int:
        """Positions a row can hold."""
        return self.rows.max_len

    def select(self, rows: Tensor) -> None:
        """Keeps these rows, in this order."""
        if self.is_initialized:
            self.keys, self.values = self.keys[rows], self.values[rows]


class HFCache:
    """A cache that a transformers model writes and whose rows may differ in length.

    Args:
        batch: Rows.
        max_len: Positions a row can hold.
        device: Where keys and values lie.
    """

    def __init__(self, batch: int, max_len: int, device: torch.device | str) -> None:
        self.rows = RowLengths(batch, max_len, device, address="decoder/hf")
        self.layers = TransformersCache(layer_class_to_replicate=lambda: _Layer(self.rows))

    @property
    def lengths_B(self) -> Tensor:
        """``(B,)`` int64, valid positions of each row."""
        return self.rows.lengths_B

    @property
    def nbytes(self) -> int:
        """Bytes held by keys and values; none before the first forward pass."""
        return sum(
            layer.keys.nbytes + layer.values.nbytes
            for layer in self.layers.layers
            if layer.is_initialized
        )

    def advance(self, num_new: int) -> None:
        """Makes what all layers wrote valid."""
        self.rows.advance(num_new)

    def truncate(self, lengths: int | Tensor) -> None:
        """Forgets positions from ``lengths`` on (one number, or one a row)."""
        self.rows.truncate(lengths)

    def select(self, rows: Tensor) -> None:
        """Keeps these rows, in this order."""
        rows = rows.to(self.rows.lengths_B.device)
        self.rows.select(rows)
        for layer in self.layers.layers:
            layer.select(rows)
