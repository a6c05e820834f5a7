"""Rotary position embedding."""

from plm_components.kernels.rotary.axial import AxialRotary, apply_interleaved_rotary
from plm_components.kernels.rotary.frequencies import RopeScaling, rope_frequencies
from plm_components.kernels.rotary.half_split import HalfSplitRotary, apply_rotary, rotate_qkv

__all__ = [
    "AxialRotary",
    "HalfSplitRotary",
    "RopeScaling",
    "apply_interleaved_rotary",
    "apply_rotary",
    "rope_frequencies",
    "rotate_qkv",
]
