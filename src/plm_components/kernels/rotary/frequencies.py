"""Rotary frequencies, with the stretch Llama 3.1 introduced.

Source: Llama 3.1 model card; arXiv 2407.21783, section 3.4.1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class RopeScaling:
    """How far, and between which wavelengths, frequencies are slowed down.

    Args:
        factor: Division of the slow frequencies; 1 changes nothing.
        low_freq_factor: Wavelengths above ``original_positions / low_freq_factor`` are divided.
        high_freq_factor: Wavelengths below ``original_positions / high_freq_factor`` are kept.
        original_positions: Positions the base model was trained on.
    """

    factor: float = 1.0
    low_freq_factor: float = 1.0
    high_freq_factor: float = 4.0
    original_positions: int = 8192


def rope_frequencies(head_dim: int, theta: float, scaling: RopeScaling) -> Tensor:
    """``(head_dim / 2,)`` fp32 on the CPU, in radians a position.

    Computed on the CPU whatever the default device: the same bits everywhere, meta included.
    """
    channels = torch.arange(0, head_dim, 2, dtype=torch.float32, device="cpu")
    base = 1.0 / theta ** (channels / head_dim)
    return base if scaling.factor == 1.0 else _stretched(base, scaling)


def _stretched(base: Tensor, scaling: RopeScaling) -> Tensor:
    low, high = scaling.low_freq_factor, scaling.high_freq_factor
    turns = scaling.original_positions / (2 * math.pi / base)
    keep = (turns - low) / (high - low)
    between = (1 - keep) * base / scaling.factor + keep * base
    slow = torch.where(turns < low, base / scaling.factor, between)
    return torch.where(turns > high, base, slow)
