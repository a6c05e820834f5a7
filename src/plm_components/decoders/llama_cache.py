"""Keys and values of a native decoder: one allocation a layer, as long as the request.

For any decoder over blocks, ours or a plugin's: give each block its layer of ``layers``, and call
``advance`` once all of them have run.
"""

from __future__ import annotations

import torch
from torch import Tensor

from plm_components.decoders.rows import RowLengths


class _Layer:
    """One layer's keys and values, ``(B, G, max_len, h)`` each."""

    def __init__(self, rows: RowLengths, k_BGSh: Tensor, v_BGSh: Tensor) -> None:
        self.rows, self.k_BGSh, self.v_BGSh = rows, k_BGSh, v_BGSh

    def append(self, k_BGLh: Tensor, v_BGLh: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Writes behind each row's valid length; see the contract."""
        keys = self.rows.place(self.k_BGSh, k_BGLh)
        return keys, self.rows.place(self.v_BGSh, v_BGLh), self.rows.lengths_B

    def select(self, rows: Tensor) -> None:
        """Keeps these rows, in this order."""
        self.k_BGSh, self.v_BGSh = self.k_BGSh[rows], self.v_BGSh[rows]


class LlamaCache:
    """A cache whose rows are filled to different lengths.

    Args:
        sizes: ``(num_kv_heads, head_dim)`` of every layer.
        batch: Rows.
        max_len: Positions a row can hold.
        dtype: Of keys and values.
        device: Where they lie.
        address: Of the decoder it belongs to, for messages.
    """

    def __init__(
        self,
        sizes: list[tuple[int, int]],
        batch: int,
        max_len: int,
        dtype: torch.dtype,
        device: torch.device | str,
        *,
        address: str = "decoder/llama",
    ) -> None:
        self._rows = RowLengths(batch, max_len, device, address=address)

        def empty(heads: int, dim: int) -> Tensor:
            # zeros: a masked key still meets its probability of 0, and 0 x NaN is NaN
            return torch.zeros(batch, heads, max_len, dim, dtype=dtype, device=device)

        self.layers = [_Layer(self._rows, empty(*size), empty(*size)) for size in sizes]

    @property
    def lengths_B(self) -> Tensor:
        """``(B,)`` int64, valid positions of each row."""
        return self._rows.lengths_B

    @property
    def nbytes(self) -> int:
        """Bytes held by keys and values."""
        return sum(layer.k_BGSh.nbytes + layer.v_BGSh.nbytes for layer in self.layers)

    def advance(self, num_new: int) -> None:
        """Makes what all layers wrote valid; the decoder calls it once a forward pass."""
        self._rows.advance(num_new)

    def truncate(self, lengths: int | Tensor) -> None:
        """Forgets positions from ``lengths`` on (one number, or one a row)."""
        self._rows.truncate(lengths)

    def select(self, rows: Tensor) -> None:
        """Keeps these rows, in this order."""
        rows = rows.to(self._rows.lengths_B.device)
        self._rows.select(rows)
        for layer in self.layers:
            layer.select(rows)
