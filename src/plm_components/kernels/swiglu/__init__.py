"""The product in the middle of SwiGLU."""

from plm_components.kernels.swiglu.product import swiglu

__all__ = ["swiglu"]
