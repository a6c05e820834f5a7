"""Attention as two batched matrix products: what the parts for CPUs are made of.

Query heads that share a key/value head are rows of one product, so nothing is repeated. Scores
stand in the dtype of the inputs: a matrix product that rounds them to bf16 is what makes these
parts fast there, and ``precision: fast``. Adding the rounding error back by a second product
(``QK - round(QK)``, exact to 16 bits) was measured: right, and no faster than torch's own kernel.
"""

from __future__ import annotations

import torch
from torch import Tensor

from plm_components.contracts import AttentionSupport


def cpu_products_support(mask_type: type) -> AttentionSupport:
    """What a part made of these products declares, apart from its mask."""
    return AttentionSupport(
        masks=frozenset({mask_type}),
        # not fp16: a score beyond 65504 would be infinite
        dtypes=frozenset({torch.float32, torch.bfloat16}),
        devices=frozenset({"cpu", "meta"}),
        gqa=True,
        backward=frozenset({"cpu", "meta"}),
        precision="fast",
        portable=True,
    )


def group_queries(q_BHLh: Tensor, num_kv_heads: int) -> Tensor:
    """``(B, H, L, h)`` -> ``(B*G, H/G, L, h)``: one row a key/value head."""
    return torch.unflatten(q_BHLh, 1, (num_kv_heads, -1)).flatten(0, 1)


def scaled_scores(q_NRLh: Tensor, k_NSh: Tensor) -> Tensor:
    """``(N, R, L, h), (N, S, h)`` -> ``(N, R, L, S)``, divided by ``sqrt(h)`` before rounding."""
    q_NMh = q_NRLh.flatten(1, 2)
    # beta=0: what stands in the empty tensor is not read
    scores_NMS = torch.baddbmm(
        q_NMh.new_empty(()), q_NMh, k_NSh.mT, beta=0.0, alpha=q_NMh.shape[-1] ** -0.5
    )
    return torch.unflatten(scores_NMS, 1, q_NRLh.shape[1:3])


def weighted_values(weights_NRLS: Tensor, v_NSh: Tensor) -> Tensor:
    """``(N, R, L, S), (N, S, h)`` -> ``(N, R, L, h)``."""
    out_NMh = torch.bmm(weights_NRLS.flatten(1, 2), v_NSh)
    return torch.unflatten(out_NMh, 1, weights_NRLS.shape[1:3])
