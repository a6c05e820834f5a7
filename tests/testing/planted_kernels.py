"""Kernels, one bug each."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from plm_components.contracts import AttentionSupport, CausalCached, Documents, Full, Grid, Mask
from plm_components.kernels.attention.eager import EagerAttention
from plm_components.kernels.pooling.mean import MeanPooling
from plm_components.testing.oracles import attention_oracle, plain_attention

_ALL = EagerAttention.support


class LowScores(EagerAttention):
    """(B, H, L, h) -> (B, H, L, h), scores rounded to bf16."""

    support: ClassVar[AttentionSupport] = replace(_ALL, backward=frozenset())

    def __call__(self, q: Tensor, k: Tensor, v: Tensor, mask: Mask) -> Tensor:
        super().__call__(q, k, v, mask)
        if q.is_meta:
            return q
        return attention_oracle(q, k, v, mask, torch.bfloat16).to(q.dtype)


class SoftMask(EagerAttention):
    """(B, H, L, h) -> (B, H, L, h), hidden by a large number instead of by infinity."""

    def __call__(self, q: Tensor, k: Tensor, v: Tensor, mask: Mask) -> Tensor:
        super().__call__(q, k, v, mask)
        allowed = mask.allowed(q.shape[2], k.shape[2], device=q.device)[:, None]
        group = q.shape[1] // k.shape[1]
        wide = torch.promote_types(q.dtype, torch.float32)
        k_all, v_all = (t.to(wide).repeat_interleave(group, 1) for t in (k, v))
        scores = q.to(wide) @ k_all.transpose(-1, -2) * q.shape[-1] ** -0.5
        return ((scores - 1e4 * ~allowed).softmax(-1) @ v_all).to(q.dtype)


class DropsDocuments(EagerAttention):
    """(B, H, L, h) -> (B, H, L, h), a mask it does not declare is computed all the same."""

    support: ClassVar[AttentionSupport] = replace(_ALL, masks=frozenset({Full, CausalCached}))

    def __call__(self, q: Tensor, k: Tensor, v: Tensor, mask: Mask) -> Tensor:
        if isinstance(mask, Documents):
            return plain_attention(q, k, v, mask)
        return super().__call__(q, k, v, mask)


class SeesAhead(EagerAttention):
    """(B, H, L, h) -> (B, H, L, h); one document alone is taken for a row without a mask."""

    def __call__(self, q: Tensor, k: Tensor, v: Tensor, mask: Mask) -> Tensor:
        alone = isinstance(mask, Documents) and len(mask.cu_seqlens) == 2
        return super().__call__(q, k, v, Full() if alone else mask)


class ForeignMask(EagerAttention):
    """(B, H, L, h) -> (B, H, L, h), and a mask that no contract knows."""

    support: ClassVar[AttentionSupport] = replace(_ALL, masks=_ALL.masks | {bytes})


class Widens(EagerAttention):
    """(B, H, L, h) -> (B, H, L, h), in fp32 whatever comes in."""

    def __call__(self, q: Tensor, k: Tensor, v: Tensor, mask: Mask) -> Tensor:
        out = super().__call__(q, k, v, mask)
        return out if q.is_meta or q.dtype == torch.float64 else out.float()


class WrongMeta(EagerAttention):
    """(B, H, L, h) -> (B, H, L, h), but on meta the shape of k."""

    def __call__(self, q: Tensor, k: Tensor, v: Tensor, mask: Mask) -> Tensor:
        return k if q.is_meta else super().__call__(q, k, v, mask)


class Restless(EagerAttention):
    """(B, H, L, h) -> (B, H, L, h), with a noise below the budget."""

    support: ClassVar[AttentionSupport] = replace(_ALL, dtypes=frozenset({torch.float32}))

    def __call__(self, q: Tensor, k: Tensor, v: Tensor, mask: Mask) -> Tensor:
        out = super().__call__(q, k, v, mask)
        return out * (1 + 1e-7 * torch.randn_like(out))


class _ScaledBackward(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return grad * 1.5


class WrongAttentionGradient(EagerAttention):
    """(B, H, L, h) -> (B, H, L, h), gradients of the values too large."""

    def __call__(self, q: Tensor, k: Tensor, v: Tensor, mask: Mask) -> Tensor:
        return super().__call__(q, k, _ScaledBackward.apply(v), mask)


class ForgetsGroups(EagerAttention):
    """(B, H, L, h) -> (B, H, L, h), as many key heads as query heads, it says."""

    def __init__(self, num_heads: int, num_kv_heads: int, head_dim: int) -> None:
        super().__init__(num_heads, num_kv_heads, head_dim)
        self.num_kv_heads = num_heads


class WrongPoolingGradient(MeanPooling):
    """(B, N, C) -> (B, M, C), gradients too large."""

    def __call__(self, tokens_BNC: Tensor, *rest: Any) -> Tensor:
        return super().__call__(_ScaledBackward.apply(tokens_BNC), *rest)


class Truncates(MeanPooling):
    """(B, N, C) -> (B, M, C), what does not fit the window falls off."""

    def __call__(self, x: Tensor, grid: Grid, window: int, activation: Any = "none") -> Tensor:
        if grid.h % window == 0 and grid.w % window == 0:
            return super().__call__(x, grid, window, activation)
        image = x[:, : grid.num_tokens].transpose(1, 2).unflatten(2, tuple(grid))
        return F.avg_pool2d(image, window).flatten(2).transpose(1, 2)


class SloppyGelu(MeanPooling):
    """(B, N, C) -> (B, M, C), the tanh approximation forward, the exact derivative backward."""

    def __call__(self, x: Tensor, grid: Grid, window: int, activation: Any = "none") -> Tensor:
        out = super().__call__(x, grid, window, activation)
        if activation == "gelu":
            rough = super().__call__(F.gelu(x, approximate="tanh"), grid, window)
            return out + (rough - out).detach()
        return out


class PoolingWidens(MeanPooling):
    """(B, N, C) -> (B, M, C), in fp32 whatever comes in."""

    def __call__(self, x: Tensor, *rest: Any) -> Tensor:
        return super().__call__(x, *rest).float()


class NoMeta(MeanPooling):
    """(B, N, C) -> (B, M, C), not on a device without values."""

    def __call__(self, x: Tensor, *rest: Any) -> Tensor:
        if not x.is_meta:
            return super().__call__(x, *rest)
        return super().__call__(x, *rest).flatten(1)
