"""torch's flex_attention: a mask is a function of positions, and empty blocks are skipped."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, ClassVar, TypeAlias

import torch
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask, create_block_mask, flex_attention

from plm_components.contracts import (
    AttentionSupport,
    Causal,
    CausalCached,
    Documents,
    Full,
    Mask,
    refuse_unsupported,
)
from plm_components.kernels.attention.heads import check_call, check_heads
from plm_components.kernels.attention.memo import MaskMemo

# its overloads know nothing of a call with **kwargs
_FLEX: Callable[..., Any] = flex_attention
# (batch, head, query, key) -> whether the query may look
_Rule: TypeAlias = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
_BLOCKS: MaskMemo[BlockMask] = MaskMemo()


class FlexAttention:
    """``flex_attention``, forward only on a CPU (torch has no backward there).

    A query that sees no key gets zeros. Without ``torch.compile``, which is not verified here yet,
    torch materialises all scores.

    Args:
        num_heads: Query heads.
        num_kv_heads: Key/value heads, a divisor of ``num_heads``.
        head_dim: Channels of one head.
    """

    __plm_kind__: ClassVar[str] = "attention"

    support: ClassVar[AttentionSupport] = AttentionSupport(
        masks=frozenset({Full, Causal, Documents, CausalCached}),
        dtypes=frozenset({torch.float32, torch.bfloat16, torch.float16}),
        devices=frozenset({"cpu", "cuda", "meta"}),
        gqa=True,
        backward=frozenset({"cuda"}),
    )

    def __init__(self, num_heads: int, num_kv_heads: int, head_dim: int) -> None:
        check_heads("attention/flex", num_heads, num_kv_heads, head_dim)
        self.num_heads, self.num_kv_heads, self.head_dim = num_heads, num_kv_heads, head_dim

    def __call__(self, q_BHLh: Tensor, k_BGSh: Tensor, v_BGSh: Tensor, mask: Mask) -> Tensor:
        """``(B,H,L,h), (B,G,S,h), (B,G,S,h)`` -> ``(B,H,L,h)`` in the dtype of q."""
        # a gradient may be wanted of the values alone, so they are looked at like keys
        for keys in (k_BGSh, v_BGSh):
            refuse_unsupported("attention/flex", self.support, q_BHLh, keys, mask)
        check_call("attention/flex", self.num_heads, self.num_kv_heads, q_BHLh, k_BGSh, mask)
        if q_BHLh.device.type == "meta":
            return torch.empty_like(q_BHLh)
        if not torch.is_grad_enabled():
            # on a CPU torch refuses tensors that could have a gradient even where none is made
            q_BHLh, k_BGSh, v_BGSh = q_BHLh.detach(), k_BGSh.detach(), v_BGSh.detach()
        out_BHLh: Tensor = _unfused(
            q_BHLh,
            k_BGSh,
            v_BGSh,
            block_mask=_block_mask(mask, q_BHLh, k_BGSh),
            enable_gqa=self.num_heads != self.num_kv_heads,
        )
        return out_BHLh


def _unfused(*args: Tensor, **kwargs: Any) -> Any:
    with warnings.catch_warnings():
        # torch warns on every uncompiled call; the class says it already
        warnings.filterwarnings("ignore", message="flex_attention called without torch.compile")
        return _FLEX(*args, **kwargs)


def _block_mask(mask: Mask, q_BHLh: Tensor, k_BGSh: Tensor) -> BlockMask | None:
    if isinstance(mask, Full):
        return None
    num_rows, num_queries, num_keys = len(q_BHLh), q_BHLh.shape[2], k_BGSh.shape[2]

    def make() -> BlockMask:
        rule = _rule(mask, num_keys, q_BHLh.device)
        # a cache's rows differ; every other mask is one for all rows
        rows = num_rows if isinstance(mask, CausalCached) else None
        return create_block_mask(rule, rows, None, num_queries, num_keys, device=q_BHLh.device)

    return _BLOCKS.get(mask, (num_rows, num_queries, num_keys, q_BHLh.device), make)


def _rule(mask: Causal | Documents | CausalCached, num_keys: int, device: torch.device) -> _Rule:
    if isinstance(mask, Causal):
        return lambda b, h, query, key: key <= query
    if isinstance(mask, CausalCached):
        lengths_B = mask.lengths_B.to(device)
        return lambda b, h, query, key: key <= lengths_B[b] + query
    positions_S = torch.arange(num_keys, device=device)
    document_S = torch.searchsorted(mask.cu_seqlens.to(device), positions_S, right=True)
    prefix = mask.shared_prefix
    return lambda b, h, query, key: (
        (key <= query) & ((document_S[query] == document_S[key]) | (key < prefix))
    )
