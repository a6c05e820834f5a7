"""Keys and values of the native decoder: one allocation, as long as the request."""

from __future__ import annotations

import torch
from torch import Tensor

from plm_components.errors import ContractError


class _Layer:
    """One layer's view of the cache."""

    def __init__(self, cache: LlamaCache, index: int) -> None:
        self._cache, self._index = cache, index

    def append(self, k_BGLh: Tensor, v_BGLh: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Writes behind each row's valid length; see the contract."""
        return self._cache.write(self._index, k_BGLh, v_BGLh)


class LlamaCache:
    """``(layers, 2, B, G, max_len, h)``, filled row by row to different lengths.

    Args:
        layers: ``(num_kv_heads, head_dim)`` of every layer.
        batch: Rows.
        max_len: Positions a row can hold.
        dtype: Of keys and values.
        device: Where they lie.
    """

    def __init__(
        self,
        layers: list[tuple[int, int]],
        batch: int,
        max_len: int,
        dtype: torch.dtype,
        device: torch.device | str,
    ) -> None:
        self._pairs = [
            # zeros, not empty: a masked key still meets its probability of 0, and 0 x NaN is NaN
            torch.zeros(2, batch, heads, max_len, dim, dtype=dtype, device=device)
            for heads, dim in layers
        ]
        self.max_len = max_len
        self.layers = [_Layer(self, index) for index in range(len(layers))]
        self._lengths_B = torch.zeros(batch, dtype=torch.long, device=device)
        # known without asking the device: the longest row, and whether all rows are as long
        self._longest, self._even = 0, True

    @property
    def lengths_B(self) -> Tensor:
        """``(B,)`` int64, valid positions of each row."""
        return self._lengths_B

    @property
    def nbytes(self) -> int:
        """Bytes held by keys and values."""
        return sum(pair.nbytes for pair in self._pairs)

    @property
    def longest(self) -> int:
        """Valid positions of the longest row."""
        return self._longest

    def write(self, layer: int, k_BGLh: Tensor, v_BGLh: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Writes one layer behind the valid lengths, which stay until ``advance``."""
        num_new = k_BGLh.shape[2]
        end = self._longest + num_new
        if end > self.max_len:
            raise _full(self.max_len, end)
        k_BGSh, v_BGSh = self._pairs[layer].unbind(0)
        self._place(k_BGSh, k_BGLh)
        self._place(v_BGSh, v_BGLh)
        return k_BGSh[:, :, :end], v_BGSh[:, :, :end], self._lengths_B

    def _place(self, into_BGSh: Tensor, new_BGLh: Tensor) -> None:
        num_new = new_BGLh.shape[2]
        if self._even:
            into_BGSh[:, :, self._longest : self._longest + num_new] = new_BGLh
            return
        rows_B1 = torch.arange(len(self._lengths_B), device=new_BGLh.device)[:, None]
        new_L = torch.arange(num_new, device=new_BGLh.device)
        into_BGSh[rows_B1, :, self._lengths_B[:, None] + new_L] = new_BGLh.transpose(1, 2)

    def advance(self, num_new: int) -> None:
        """Makes what all layers wrote valid."""
        # a new tensor, never in place: masks of this step still hold the old one
        self._lengths_B = self._lengths_B + num_new
        self._longest += num_new

    def truncate(self, lengths: int | Tensor) -> None:
        """Forgets positions from ``lengths`` on (one number, or one a row)."""
        limit = torch.as_tensor(lengths, device=self._lengths_B.device)
        self._settle(torch.minimum(self._lengths_B, limit.to(torch.long)))

    def select(self, rows: Tensor) -> None:
        """Keeps these rows, in this order."""
        rows = rows.to(self._lengths_B.device)
        self._pairs = [pair.index_select(1, rows) for pair in self._pairs]
        self._settle(self._lengths_B[rows])

    def _settle(self, lengths_B: Tensor) -> None:
        self._lengths_B = lengths_B
        known = lengths_B.tolist()
        self._longest, self._even = max(known, default=0), len(set(known)) <= 1


def _full(max_len: int, end: int) -> ContractError:
    return ContractError(
        f"A cache of {max_len} positions cannot hold {end}.",
        where="decoder/llama, cache",
        expected=f"at most {max_len} positions a row",
        fix="make the cache with max_len = prompt + max_new_tokens",
    )
