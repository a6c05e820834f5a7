"""How much one frame's colours differ from the next one's: histograms of blocks, uint8 exact."""

from __future__ import annotations

import torch
from torch import Tensor

BINS = 16
# side of the square of blocks: where a colour stands counts, roughly
BLOCKS = 2


def color_distances(frames_F3SS: Tensor) -> list[float]:
    """From each frame to the next, ``F - 1`` numbers: 0 the same colours, 1 none in common.

    Half the summed difference of normalised histograms (their total variation distance), of 16 bins
    a channel over each quarter of the frame, averaged over channels and quarters.

    Args:
        frames_F3SS: uint8 ``(F, 3, side, side)``, the side a multiple of 2.
    """
    counts_FQ = _histograms(frames_F3SS)
    pixels = frames_F3SS[0].numel()
    # whole numbers until here, and far below 2**53: the same on every machine
    differences_f = (counts_FQ[1:] - counts_FQ[:-1]).abs().sum(-1).double() / (2 * pixels)
    distances: list[float] = differences_f.tolist()
    return distances


def _histograms(frames_F3SS: Tensor) -> Tensor:
    """``(F, 3 * BLOCKS**2 * BINS)`` int64 counts."""
    count, channels, side, _ = frames_F3SS.shape
    half = side // BLOCKS
    bins_F3bsbs = (frames_F3SS.long() * BINS // 256).view(
        count, channels, BLOCKS, half, BLOCKS, half
    )
    blocks = channels * BLOCKS**2
    bins_Fqp = bins_F3bsbs.transpose(3, 4).reshape(count, blocks, half * half)
    first_bin_q1 = torch.arange(blocks)[:, None] * BINS
    first_bin_F11 = torch.arange(count)[:, None, None] * blocks * BINS
    flat = (bins_Fqp + first_bin_q1 + first_bin_F11).flatten()
    return torch.bincount(flat, minlength=count * blocks * BINS).view(count, -1)
