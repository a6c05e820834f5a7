"""The plain kernel's gradient, from what forward left: its output, in the tested dtype."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from plm_components.contracts import Mask
from plm_components.testing.oracles import plain_attention


def plain_with_gradient(q_BHLh: Tensor, k_BGSh: Tensor, v_BGSh: Tensor, mask: Mask) -> Tensor:
    """``plain_attention`` with the backward of every kernel that does not keep its scores.

    The scores are made again in fp32, and the row sums of their gradients are those of the output
    times its gradient, where the output is rounded. Where softmax is peaked that is the largest
    error by far: the gradients of scores vanish, and it does not.

    Shapes:
        ``(B,H,L,h), (B,G,S,h), (B,G,S,h)`` -> ``(B,H,L,h)`` in the dtype of q.

    Source:
        FlashAttention-2, arXiv 2307.08691, section 3.1.2.
    """
    apply: Any = _PlainAttention.apply
    out_BHLh: Tensor = apply(q_BHLh, k_BGSh, v_BGSh, mask)
    return out_BHLh


class _PlainAttention(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, mask: Mask) -> Tensor:
        out = plain_attention(q, k, v, mask)
        ctx.save_for_backward(q, k, v, out)
        ctx.mask = mask
        return out

    @staticmethod
    def backward(ctx: Any, grad_out: Tensor) -> tuple[Tensor | None, ...]:
        q, k, v, out, grad = (
            t.to(torch.promote_types(t.dtype, torch.float32))
            for t in (*ctx.saved_tensors, grad_out)
        )
        group = q.shape[1] // k.shape[1]
        k, v = k.repeat_interleave(group, 1), v.repeat_interleave(group, 1)
        scale = q.shape[-1] ** -0.5
        allowed = ctx.mask.allowed(q.shape[2], k.shape[2], device=q.device)[:, None]
        scores = (q @ k.mT * scale).masked_fill(~allowed, -torch.inf)
        weights = scores.softmax(-1).masked_fill(~allowed, 0.0)
        row_sums = (out * grad).sum(-1, keepdim=True)
        grad_scores = weights * (grad @ v.mT - row_sums) * scale
        grad_q = grad_scores @ k
        grad_k, grad_v = (_of_group(g, group) for g in (grad_scores.mT @ q, weights.mT @ grad))
        dtype = grad_out.dtype
        return grad_q.to(dtype), grad_k.to(dtype), grad_v.to(dtype), None


def _of_group(grad_BHSh: Tensor, group: int) -> Tensor:
    """The heads of a group added up: ``(B, H, S, h)`` -> ``(B, G, S, h)``."""
    batch, heads, *rest = grad_BHSh.shape
    return grad_BHSh.reshape(batch, heads // group, group, *rest).sum(2)
