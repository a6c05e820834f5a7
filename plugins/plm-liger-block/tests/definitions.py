"""What Liger's functional API is documented to compute, in plain torch: stands in for its kernels.

Restated from the interface and the docstrings of liger_kernel.transformers.functional, not copied.
What only the kernels can get wrong (their Triton code) is not tested by this.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def liger_rms_norm(
    X: Tensor,
    W: Tensor,
    eps: float,
    offset: float = 0.0,
    casting_mode: str = "llama",
    in_place: bool = True,
) -> Tensor:
    """Casting modes ``llama`` (before the weight) and ``gemma`` (after it)."""
    wide = X.float()
    normed = wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + eps)
    if casting_mode == "gemma":
        return (normed * (W.float() + offset)).to(X.dtype)
    return normed.to(X.dtype) * (W + offset)


def liger_swiglu(a: Tensor, b: Tensor) -> Tensor:
    """``silu(a) * b``."""
    wide = a.float()
    return (wide * wide.sigmoid()).to(a.dtype) * b


def liger_rope(
    q: Tensor,
    k: Tensor,
    cos: Tensor,
    sin: Tensor,
    position_ids: Tensor | None = None,
    unsqueeze_dim: int = 1,
) -> tuple[Tensor, Tensor]:
    """``(B, H, L, h)``, tables ``(B, L, h)``; in place where q and k lie as ``(B, L, H, h)``."""
    return _Turn.apply(q, cos, sin), _Turn.apply(k, cos, sin)


class _Turn(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x_BHLh: Tensor, cos_BLh: Tensor, sin_BLh: Tensor) -> Tensor:
        ctx.save_for_backward(cos_BLh, sin_BLh)
        # as the kernel does, behind autograd's back
        lying_BLHh = x_BHLh.detach().transpose(1, 2).contiguous()
        return lying_BLHh.copy_(_turned(lying_BLHh, cos_BLh, sin_BLh)).transpose(1, 2)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:  # type: ignore[override]
        cos_BLh, sin_BLh = ctx.saved_tensors
        back_BLHh = _turned(gradient.transpose(1, 2), cos_BLh, -sin_BLh)
        return back_BLHh.to(gradient.dtype).transpose(1, 2), None, None


def _turned(x_BLHh: Tensor, cos_BLh: Tensor, sin_BLh: Tensor) -> Tensor:
    """Only the left half of the tables is read."""
    half = x_BLHh.shape[-1] // 2
    cos, sin = cos_BLh[..., None, :half], sin_BLh[..., None, :half]
    left, right = x_BLHh[..., :half].to(cos.dtype), x_BLHh[..., half:].to(cos.dtype)
    return torch.cat((left * cos - right * sin, right * cos + left * sin), -1)
