"""Norms over channels."""

from plm_components.kernels.norms.rms_norm import RMSNorm

__all__ = ["RMSNorm"]
