"""xFormers: memory_efficient_attention, which picks a fused CUDA kernel by shape and mask."""

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
from plm_components.errors import UnavailableError, UnsupportedError
from plm_components.kernels.attention.heads import check_call, check_heads
from plm_components.kernels.attention.imported import import_kernels
from plm_components.kernels.attention.memo import MaskMemo
from plm_components.kernels.attention.packing import (
    cached_lengths,
    flatten_rows,
    pack,
    unflatten_rows,
)

_ADDRESS = "attention/xformers"
_LENGTHS: MaskMemo[list[int]] = MaskMemo()


class XFormersAttention:
    """``xformers.ops.memory_efficient_attention``, forward only.

    Its backward knows no grouped heads. Forward, a key/value head is a view over its query heads
    with a stride of zero, which its kernels see through. Rows of a cache that are filled to one
    length are read where they lie; uneven rows are copied end to end. A query that sees no key is
    refused.

    Args:
        num_heads: Query heads.
        num_kv_heads: Key/value heads, a divisor of ``num_heads``.
        head_dim: Channels of one head.

    Raises:
        UnavailableError: xformers is installed, and it or its library cannot be loaded.

    Source:
        facebookresearch/xformers 0.0.35, xformers/ops/fmha.
    """

    __plm_kind__: ClassVar[str] = "attention"

    support: ClassVar[AttentionSupport] = AttentionSupport(
        masks=frozenset({Full, Causal, Documents, CausalCached}),
        dtypes=frozenset({torch.bfloat16, torch.float16}),
        devices=frozenset({"cuda", "meta"}),
        gqa=True,
        backward=frozenset({"meta"}),
        head_dims=frozenset(range(8, 257, 8)),
    )

    def __init__(self, num_heads: int, num_kv_heads: int, head_dim: int) -> None:
        check_heads(_ADDRESS, num_heads, num_kv_heads, head_dim)
        _import_xformers()
        self.num_heads, self.num_kv_heads, self.head_dim = num_heads, num_kv_heads, head_dim

    def __call__(self, q_BHLh: Tensor, k_BGSh: Tensor, v_BGSh: Tensor, mask: Mask) -> Tensor:
        """``(B,H,L,h), (B,G,S,h), (B,G,S,h)`` -> ``(B,H,L,h)`` in the dtype of q."""
        # a gradient may be wanted of the values alone, so they are looked at like keys
        for keys in (k_BGSh, v_BGSh):
            refuse_unsupported(_ADDRESS, self.support, q_BHLh, keys, mask)
        check_call(_ADDRESS, self.num_heads, self.num_kv_heads, q_BHLh, k_BGSh, mask)
        if q_BHLh.device.type == "meta":
            return torch.empty_like(q_BHLh)
        biases = import_kernels(_ADDRESS, "xformers.ops.fmha.attn_bias")
        if isinstance(mask, CausalCached):
            return _cached(q_BHLh, k_BGSh, v_BGSh, mask, biases)
        if isinstance(mask, Documents):
            return _packed(q_BHLh, k_BGSh, v_BGSh, mask, biases)
        bias = biases.LowerTriangularMask() if isinstance(mask, Causal) else None
        return _batched(q_BHLh, k_BGSh, v_BGSh, bias)


def _import_xformers() -> Any:
    try:
        fmha = import_kernels(_ADDRESS, "xformers.ops.fmha")
    except UnavailableError as error:
        if "flash_attn_interface" not in error.what:
            raise
        raise UnavailableError(
            f"{_ADDRESS} is unavailable: xformers takes flash-attn-4 for FlashAttention 2.",
            where=_ADDRESS,
            expected="flash-attn 2 beside flash-attn-4, or neither: both are called flash_attn",
            fix="pip install flash-attn, or pip uninstall flash-attn-4",
        ) from error
    # it imports all the same, warns, and then has no operator for any call
    if not getattr(import_kernels(_ADDRESS, "xformers"), "_has_cpp_library", True):
        raise UnavailableError(
            f"{_ADDRESS} is unavailable: the library that xformers brings does not load here.",
            where=_ADDRESS,
            expected="an xformers that was built for this CUDA (the wheel of 0.0.35: CUDA 12.8)",
            fix="XFORMERS_MORE_DETAILS=1 python -m xformers.info tells why; install one that fits, "
            "or choose another attention part (plm list attention)",
        )
    return fmha


def _cached(
    q_BHLh: Tensor, k_BGSh: Tensor, v_BGSh: Tensor, mask: CausalCached, biases: Any
) -> Tensor:
    sizes = (q_BHLh.shape[2], k_BGSh.shape[2])
    lengths = _LENGTHS.get(mask, sizes, lambda: cached_lengths(_ADDRESS, mask, *sizes))
    if len(set(lengths)) > 1:
        return _packed(q_BHLh, k_BGSh, v_BGSh, mask, biases)
    seen = lengths[0] + sizes[0]
    bias = biases.LowerTriangularFromBottomRightMask()
    return _batched(q_BHLh, k_BGSh[:, :, :seen], v_BGSh[:, :, :seen], bias)


def _batched(q_BHLh: Tensor, k_BGSh: Tensor, v_BGSh: Tensor, bias: Any) -> Tensor:
    num_kv_heads = k_BGSh.shape[1]
    q_BLHh, k_BSGh, v_BSGh = (x.transpose(1, 2) for x in (q_BHLh, k_BGSh, v_BGSh))
    return _attend(q_BLHh, k_BSGh, v_BSGh, num_kv_heads, bias).transpose(1, 2)


def _packed(
    q_BHLh: Tensor,
    k_BGSh: Tensor,
    v_BGSh: Tensor,
    mask: Documents | CausalCached,
    biases: Any,
) -> Tensor:
    blocks = pack(_ADDRESS, mask, q_BHLh, k_BGSh)
    bias = biases.BlockDiagonalCausalFromBottomRightMask.from_seqlens(
        blocks.query_lens, blocks.key_lens, device=q_BHLh.device
    )
    q_1THh, k_1KGh, v_1KGh = (
        x[None] for x in (flatten_rows(q_BHLh), blocks.keys(k_BGSh), blocks.keys(v_BGSh))
    )
    out_1THh = _attend(q_1THh, k_1KGh, v_1KGh, k_BGSh.shape[1], bias)
    return unflatten_rows(out_1THh[0], len(q_BHLh))


def _attend(q_BLHh: Tensor, k_BSGh: Tensor, v_BSGh: Tensor, num_kv_heads: int, bias: Any) -> Tensor:
    fmha = _import_xformers()
    q_BLGRh = torch.unflatten(q_BLHh, 2, (num_kv_heads, -1))
    shared = q_BLGRh.shape[3]
    k_BSGRh, v_BSGRh = (x.unsqueeze(3).expand(-1, -1, -1, shared, -1) for x in (k_BSGh, v_BSGh))
    try:
        out = fmha.memory_efficient_attention(q_BLGRh, k_BSGRh, v_BSGRh, attn_bias=bias)
    except NotImplementedError as error:
        raise UnsupportedError(
            f"{_ADDRESS} has no kernel for this call on this machine: {error}",
            where=_ADDRESS,
            expected="a call that one of its operators takes (python -m xformers.info lists them)",
            fix="choose another attention part for this slot: attention=eager does everything",
        ) from error
    out_BLHh: Tensor = out.flatten(2, 3)
    return out_BLHh
