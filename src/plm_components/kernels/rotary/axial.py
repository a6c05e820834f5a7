"""Rotary position embedding over a grid, as Perception Encoders have it.

Half of a head's channels turn with the column, the other half with the row. Pairs are neighbouring
channels (interleaved), unlike a decoder's half-split layout: encoder weights are published so.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from plm_components.contracts import Grid
from plm_components.kernels.rotary.frequencies import RopeScaling, rope_frequencies


def apply_interleaved_rotary(x_BHLh: Tensor, rotary: tuple[Tensor, Tensor]) -> Tensor:
    """Turns each pair of neighbouring channels by the angle of its position.

    Args:
        x_BHLh: ``(..., L, h)`` queries or keys, any float dtype.
        rotary: fp32 ``cos_Lh, sin_Lh``.

    Returns:
        ``(..., L, h)`` in the dtype of ``x_BHLh``; the arithmetic is fp32 or wider.
    """
    cos_Lh, sin_Lh = rotary
    crossed_BHLh = torch.stack((-x_BHLh[..., 1::2], x_BHLh[..., ::2]), dim=-1).flatten(-2)
    return (x_BHLh * cos_Lh + crossed_BHLh * sin_Lh).to(x_BHLh.dtype)


class AxialRotary(nn.Module):
    """A grid to the fp32 tables that every layer of an encoder shares.

    Args:
        head_dim: Channels of one head, a multiple of 4.
        num_prefix: Tokens before the grid; they are not turned.
        first: Position of the first column and of the first row.
        theta: Base of the frequencies.

    Source:
        Perception Encoder, arXiv 2504.13181; rotary embedding, arXiv 2104.09864.
    """

    inv_freq: Tensor

    def __init__(
        self, head_dim: int, *, num_prefix: int = 0, first: int = 0, theta: float = 10000.0
    ) -> None:
        super().__init__()
        self.head_dim, self.theta = head_dim, theta
        self.num_prefix, self.first = num_prefix, first
        self.register_buffer("inv_freq", torch.empty(head_dim // 4), persistent=False)
        self.init_buffers()

    def init_buffers(self) -> None:
        """Recomputes the frequencies, in fp32, on the device where they are."""
        values = rope_frequencies(self.head_dim // 2, self.theta, RopeScaling())
        self.inv_freq = values.to(self.inv_freq.device)

    def forward(self, grid: Grid, scaled_to: Grid | None = None) -> tuple[Tensor, Tensor]:
        """fp32 ``cos_Lh, sin_Lh`` for ``L = num_prefix + h*w`` tokens.

        Args:
            grid: Of the tile.
            scaled_to: Spread the positions over the extent of this grid instead of counting them.
        """
        x_w = self._positions(grid.w, None if scaled_to is None else scaled_to.w)
        y_h = self._positions(grid.h, None if scaled_to is None else scaled_to.h)
        x_N, y_N = x_w.repeat(grid.h), y_h.repeat_interleave(grid.w)
        angles = torch.cat((x_N[:, None] * self.inv_freq, y_N[:, None] * self.inv_freq), dim=1)
        # one angle for both channels of a pair; none for what stands before the grid
        angles_Nh = angles.repeat_interleave(2, dim=1)
        angles_Lh = nn.functional.pad(angles_Nh, (0, 0, self.num_prefix, 0))
        return angles_Lh.cos(), angles_Lh.sin()

    def _positions(self, count: int, extent: int | None) -> Tensor:
        steps = torch.arange(count, dtype=torch.float32, device=self.inv_freq.device) + self.first
        return steps if extent is None else steps / count * extent

    def _apply(self, fn, recurse=True):  # type: ignore[no-untyped-def]
        # model.to(bfloat16) would round the frequencies: after any move they are made anew
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        self.init_buffers()
        return self
