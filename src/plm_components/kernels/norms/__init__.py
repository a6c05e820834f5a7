"""Norms over channels."""

from plm_components.kernels.norms.rms_norm import RMSNorm, add_rms_norm, rms_norm

__all__ = ["RMSNorm", "add_rms_norm", "rms_norm"]
