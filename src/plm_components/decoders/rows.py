"""How far each row of a cache is filled, and writing behind that."""

from __future__ import annotations

import torch
from torch import Tensor

from plm_components.errors import ContractError


class RowLengths:
    """Valid lengths of the rows of one cache, whose slots lie row by row without holes.

    Args:
        batch: Rows.
        max_len: Positions a row can hold.
        device: Where keys and values lie.
        address: Of the decoder, for messages.
    """

    def __init__(
        self, batch: int, max_len: int, device: torch.device | str, *, address: str
    ) -> None:
        self.max_len, self._address = max_len, address
        self.lengths_B = torch.zeros(batch, dtype=torch.long, device=device)
        # known without asking the device: the longest row, and whether all rows are as long
        self.longest, self.even = 0, True

    def place(self, into_BGSh: Tensor, new_BGLh: Tensor) -> Tensor:
        """Writes behind the valid lengths, which stay as they are.

        Returns:
            The view that reaches to the longest row's new end.

        Raises:
            ContractError: the longest row does not fit.
        """
        num_new = new_BGLh.shape[2]
        end = self.longest + num_new
        if end > self.max_len:
            raise self._full(end)
        if self.even:
            into_BGSh[:, :, self.longest : end] = new_BGLh
        else:
            rows_B1 = torch.arange(len(self.lengths_B), device=into_BGSh.device)[:, None]
            slots_BL = self.lengths_B[:, None] + torch.arange(num_new, device=into_BGSh.device)
            into_BGSh[rows_B1, :, slots_BL] = new_BGLh.transpose(1, 2)
        return into_BGSh[:, :, :end]

    def advance(self, num_new: int) -> None:
        """Makes what all layers wrote valid."""
        # a new tensor, never in place: the mask of this step still holds the old one
        self.lengths_B = self.lengths_B + num_new
        self.longest += num_new

    def truncate(self, lengths: int | Tensor) -> None:
        """Forgets positions from ``lengths`` on (one number, or one a row)."""
        limit = torch.as_tensor(lengths, dtype=torch.long, device=self.lengths_B.device)
        self._settle(torch.minimum(self.lengths_B, limit))

    def select(self, rows: Tensor) -> None:
        """Keeps these rows, in this order."""
        self._settle(self.lengths_B[rows])

    def _settle(self, lengths_B: Tensor) -> None:
        self.lengths_B = lengths_B
        known = lengths_B.tolist()
        self.longest, self.even = max(known, default=0), len(set(known)) <= 1

    def _full(self, end: int) -> ContractError:
        return ContractError(
            f"A cache of {self.max_len} positions cannot hold {end}.",
            where=f"{self._address}, cache",
            expected=f"at most {self.max_len} positions a row",
            fix="make the cache with max_len = prompt + max_new_tokens",
        )
