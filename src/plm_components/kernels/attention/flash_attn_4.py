"""FlashAttention 4: kernels written in CuTe DSL, compiled on their first call."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor

from plm_components.contracts import (
    AttentionSupport,
    Causal,
    CausalCached,
    Documents,
    Full,
    Mask,
    refuse_unsupported,
)
from plm_components.errors import UnsupportedError
from plm_components.kernels.attention.heads import check_call, check_heads
from plm_components.kernels.attention.imported import import_kernels
from plm_components.kernels.attention.packing import flatten_rows, pack, unflatten_rows

_ADDRESS = "attention/flash_attn_4"
_MODULE = "flash_attn.cute"


class FlashAttn4Attention:
    """``flash_attn.cute``, on Ampere and later; gradients on Hopper and later.

    Behind a cache the rows are read where they lie, without waiting for the device. A query that
    sees no key gets zeros.

    Args:
        num_heads: Query heads.
        num_kv_heads: Key/value heads, a divisor of ``num_heads``.
        head_dim: Channels of one head, at most 128: what every architecture of it takes.

    Raises:
        UnavailableError: flash-attn-4 is installed and cannot be imported.

    Source:
        github.com/Dao-AILab/flash-attention, flash_attn/cute/interface.py of 4.0.0b36.
    """

    __plm_kind__: ClassVar[str] = "attention"

    support: ClassVar[AttentionSupport] = AttentionSupport(
        masks=frozenset({Full, Causal, Documents, CausalCached}),
        dtypes=frozenset({torch.bfloat16, torch.float16}),
        devices=frozenset({"cuda", "meta"}),
        gqa=True,
        backward=frozenset({"cuda", "meta"}),
        gradient_precision="fast",
        head_dims=frozenset(range(8, 129, 8)),
    )

    def __init__(self, num_heads: int, num_kv_heads: int, head_dim: int) -> None:
        check_heads(_ADDRESS, num_heads, num_kv_heads, head_dim)
        import_kernels(_ADDRESS, _MODULE)
        self.num_heads, self.num_kv_heads, self.head_dim = num_heads, num_kv_heads, head_dim

    def __call__(self, q_BHLh: Tensor, k_BGSh: Tensor, v_BGSh: Tensor, mask: Mask) -> Tensor:
        """``(B,H,L,h), (B,G,S,h), (B,G,S,h)`` -> ``(B,H,L,h)`` in the dtype of q."""
        refuse_unsupported(_ADDRESS, self.support, q_BHLh, k_BGSh, mask)
        check_call(_ADDRESS, self.num_heads, self.num_kv_heads, q_BHLh, k_BGSh, mask)
        if q_BHLh.device.type == "meta":
            return torch.empty_like(q_BHLh)
        _refuse_old_backward(q_BHLh, k_BGSh, v_BGSh)
        if isinstance(mask, Documents):
            return _packed(q_BHLh, k_BGSh, v_BGSh, mask)
        if isinstance(mask, CausalCached):
            return _cached(q_BHLh, k_BGSh, v_BGSh, mask)
        q_BLHh, k_BSGh, v_BSGh = (x.transpose(1, 2) for x in (q_BHLh, k_BGSh, v_BGSh))
        flash = import_kernels(_ADDRESS, _MODULE)
        out = flash.flash_attn_func(q_BLHh, k_BSGh, v_BSGh, causal=isinstance(mask, Causal))
        return _output(out).transpose(1, 2)


def _packed(q_BHLh: Tensor, k_BGSh: Tensor, v_BGSh: Tensor, mask: Documents) -> Tensor:
    flash = import_kernels(_ADDRESS, _MODULE)
    blocks = pack(_ADDRESS, mask, q_BHLh, k_BGSh)
    out = flash.flash_attn_varlen_func(
        flatten_rows(q_BHLh),
        blocks.keys(k_BGSh),
        blocks.keys(v_BGSh),
        cu_seqlens_q=blocks.query_starts,
        cu_seqlens_k=blocks.key_starts,
        max_seqlen_q=max(blocks.query_lens),
        max_seqlen_k=max(blocks.key_lens),
        causal=True,
    )
    return unflatten_rows(_output(out), len(q_BHLh))


def _cached(q_BHLh: Tensor, k_BGSh: Tensor, v_BGSh: Tensor, mask: CausalCached) -> Tensor:
    flash = import_kernels(_ADDRESS, _MODULE)
    num_queries, num_keys = q_BHLh.shape[2], k_BGSh.shape[2]
    lengths_B = mask.lengths_B.to(q_BHLh.device)
    # never beyond the keys that are there: a kernel would read foreign memory
    seen_B = (lengths_B + num_queries).clamp(0, num_keys).to(torch.int32)
    q_BLHh, k_BSGh, v_BSGh = (x.transpose(1, 2) for x in (q_BHLh, k_BGSh, v_BGSh))
    out = flash.flash_attn_varlen_func(q_BLHh, k_BSGh, v_BSGh, seqused_k=seen_B, causal=True)
    # what a query without a key gets is not documented, so it is said here
    query_L = torch.arange(num_queries, device=q_BHLh.device)
    blind_BL = lengths_B[:, None] + query_L < 0
    return _output(out).transpose(1, 2).masked_fill(blind_BL[:, None, :, None], 0.0)


def _output(returned: Any) -> Tensor:
    """Older versions return the logarithms of the sums beside it."""
    out: Tensor = returned[0] if isinstance(returned, tuple) else returned
    return out


def _refuse_old_backward(*inputs: Tensor) -> None:
    wanted = torch.is_grad_enabled() and any(x.requires_grad for x in inputs)
    if wanted and torch.cuda.get_device_capability(inputs[0].device) < (9, 0):
        raise UnsupportedError(
            f"{_ADDRESS} cannot do gradients on this GPU.",
            where=_ADDRESS,
            expected="compute capability 9.0 or more",
            fix="choose another attention part for this slot: attention=eager does everything",
        )
