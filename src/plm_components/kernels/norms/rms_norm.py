"""Root-mean-square norm with the reference's order of rounding."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class RMSNorm(nn.Module):
    """``weight * x / sqrt(mean(x^2) + eps)``, everything in fp32 until the last cast.

    transformers casts before it multiplies by the weight; the reference after. In bf16 the
    reference's order is closer to fp32.

    Args:
        dim: Channels.
        eps: Added to the mean square.

    Shapes:
        x ``(..., dim)`` -> ``(..., dim)`` in the dtype of x.

    Source:
        arXiv 1910.07467.
    """

    def __init__(self, dim: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x: Tensor) -> Tensor:
        """``(..., dim)`` -> ``(..., dim)``."""
        wide = x.to(torch.promote_types(x.dtype, torch.float32))
        scale = torch.rsqrt(wide.square().mean(-1, keepdim=True) + self.eps)
        return (wide * scale * self.weight.to(wide.dtype)).to(x.dtype)

    def init_weights(self) -> None:
        """All ones."""
        nn.init.ones_(self.weight)
