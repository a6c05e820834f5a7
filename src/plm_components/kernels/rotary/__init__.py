"""Rotary position embedding."""

from plm_components.kernels.rotary.frequencies import RopeScaling, rope_frequencies
from plm_components.kernels.rotary.half_split import HalfSplitRotary, apply_rotary

__all__ = ["HalfSplitRotary", "RopeScaling", "apply_rotary", "rope_frequencies"]
