"""Root-mean-square norm with the reference's order of rounding."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """``weight * x / sqrt(mean(x^2) + eps)``, fp32 or wider until the last cast.

    Shapes:
        x ``(..., dim)``, weight ``(dim,)`` -> ``(..., dim)`` in the dtype of x.
    """
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    scale = torch.rsqrt(wide.square().mean(-1, keepdim=True) + eps)
    return (wide * scale * weight.to(wide.dtype)).to(x.dtype)


def add_rms_norm(x: Tensor, delta: Tensor, weight: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """``x + delta``, and its norm: what stands between two halves of a prenorm block.

    Shapes:
        x, delta ``(..., dim)``, weight ``(dim,)`` -> two of ``(..., dim)``.
    """
    total = x + delta
    return total, rms_norm(total, weight, eps)


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
        return rms_norm(x, self.weight, self.eps)

    def init_weights(self) -> None:
        """All ones."""
        nn.init.ones_(self.weight)
