"""Attention as two batched matrix products: what the parts for CPUs are made of.

Query heads that share a key/value head are rows of one product, so nothing is repeated. Scores
stand in the dtype of the inputs: a matrix product that rounds them to bf16 is what makes these
parts fast there, and ``precision: fast``. Two ways to undo the rounding were measured, both as
exact as torch's kernel and no faster: to add it back by a second product (``QK - round(QK)``), or
to make the product again with each query's largest score subtracted before it is rounded, so that
the scores that count are small. The second is done where scores are large.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor

from plm_components.contracts import AttentionSupport

# writes a large negative number over the scores that a query may not see
Hide: TypeAlias = Callable[[Tensor], object]
# bf16 rounds a score of 24 by up to 1/16: its probability is then 6 % off, 3 % on average
_LARGE_SCORE = 24.0


def cpu_products_support(mask_type: type) -> AttentionSupport:
    """What a part made of these products declares, apart from its mask."""
    return AttentionSupport(
        masks=frozenset({mask_type}),
        # not fp16: a score beyond 65504 would be infinite
        dtypes=frozenset({torch.float32, torch.bfloat16}),
        devices=frozenset({"cpu", "meta"}),
        gqa=True,
        # in bf16 the rounded scores' gradients are not even fast where scores are large
        backward=frozenset(),
        precision="fast",
        portable=True,
    )


def group_queries(q_BHLh: Tensor, num_kv_heads: int) -> Tensor:
    """``(B, H, L, h)`` -> ``(B*G, H/G, L, h)``: one row a key/value head."""
    return torch.unflatten(q_BHLh, 1, (num_kv_heads, -1)).flatten(0, 1)


def attention_weights(q_NRLh: Tensor, k_NSh: Tensor, hide: Hide | None = None) -> Tensor:
    """``(N, R, L, h), (N, S, h)`` -> ``(N, R, L, S)``, the softmax of the scaled scores."""
    hide = hide or _hide_nothing
    # beta=0: what stands in the empty tensor is not read
    scores_NRLS = _scores(q_NRLh.new_empty(()), q_NRLh, k_NSh, beta=0.0)
    again = _are_rounded_badly(scores_NRLS)
    hide(scores_NRLS)
    if again:
        largest_NM1 = scores_NRLS.amax(-1, keepdim=True).flatten(1, 2)
        scores_NRLS = _scores(-largest_NM1, q_NRLh, k_NSh, beta=1.0)
        hide(scores_NRLS)
    return scores_NRLS.softmax(-1)


def weighted_values(weights_NRLS: Tensor, v_NSh: Tensor) -> Tensor:
    """``(N, R, L, S), (N, S, h)`` -> ``(N, R, L, h)``."""
    out_NMh = torch.bmm(weights_NRLS.flatten(1, 2), v_NSh)
    return torch.unflatten(out_NMh, 1, weights_NRLS.shape[1:3])


def _scores(start: Tensor, q_NRLh: Tensor, k_NSh: Tensor, *, beta: float) -> Tensor:
    """``beta * start + Q K^T / sqrt(h)``, rounded once: ``(N, R, L, S)``."""
    q_NMh, scale = q_NRLh.flatten(1, 2), q_NRLh.shape[-1] ** -0.5
    scores_NMS = torch.baddbmm(start, q_NMh, k_NSh.mT, beta=beta, alpha=scale)
    return torch.unflatten(scores_NMS, 1, q_NRLh.shape[1:3])


def _hide_nothing(scores_NRLS: Tensor) -> None:
    """Every query sees every key."""


def _are_rounded_badly(scores_NRLS: Tensor) -> bool:
    if scores_NRLS.dtype != torch.bfloat16 or scores_NRLS.is_meta:
        return False
    low, high = scores_NRLS.aminmax()
    return max(-float(low), float(high)) > _LARGE_SCORE
