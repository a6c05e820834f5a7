"""torch's flex_attention: a mask is a function of positions, and empty blocks are skipped."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any, ClassVar, NoReturn, TypeAlias

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
from plm_components.errors import UnavailableError, UnsupportedError
from plm_components.kernels.attention.heads import check_call, check_heads
from plm_components.kernels.attention.memo import MaskMemo

# its overloads know nothing of a call with **kwargs
_FLEX: Callable[..., Any] = flex_attention
# (batch, head, query, key) -> whether the query may look
_Rule: TypeAlias = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
_BLOCKS: MaskMemo[BlockMask] = MaskMemo()
# Triton's smallest matrix product
_MIN_COMPILED_HEAD_DIM = 16
# torch's own is 8: dtypes, head counts, kinds of masks and one or several queries, each once
_VARIANTS = 128
# torch's own errors of a machine that lacks something
_LACKING = ("TritonMissing", "GPUTooOldForTriton", "InvalidCxxCompiler")


class FlexAttention:
    """``flex_attention``, compiled on a GPU; on a CPU unfused and forward only.

    On a GPU the first call of every kind (dtype, heads, mask class, one or several queries)
    compiles for seconds; the second length of a kind compiles once more, for all lengths.
    Without compiling, as on a CPU here, torch materialises all scores and has no backward. A
    query that sees no key gets zeros.

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
        gradient_precision="fast",
    )

    def __init__(self, num_heads: int, num_kv_heads: int, head_dim: int) -> None:
        check_heads("attention/flex", num_heads, num_kv_heads, head_dim)
        self.num_heads, self.num_kv_heads, self.head_dim = num_heads, num_kv_heads, head_dim
        # compared in a call it would be symbolic under torch.compile, and only a bool is taken
        self._is_grouped = num_heads != num_kv_heads

    def __call__(self, q_BHLh: Tensor, k_BGSh: Tensor, v_BGSh: Tensor, mask: Mask) -> Tensor:
        """``(B,H,L,h), (B,G,S,h), (B,G,S,h)`` -> ``(B,H,L,h)`` in the dtype of q."""
        # a gradient may be wanted of the values alone, so they are looked at like keys
        for keys in (k_BGSh, v_BGSh):
            refuse_unsupported("attention/flex", self.support, q_BHLh, keys, mask)
        check_call("attention/flex", self.num_heads, self.num_kv_heads, q_BHLh, k_BGSh, mask)
        if q_BHLh.device.type == "meta":
            return torch.empty_like(q_BHLh)
        on_gpu = q_BHLh.device.type == "cuda"
        if on_gpu and self.head_dim < _MIN_COMPILED_HEAD_DIM:
            self._refuse_head_dim()
        if not torch.is_grad_enabled():
            # on a CPU torch refuses tensors that could have a gradient even where none is made
            q_BHLh, k_BGSh, v_BGSh = q_BHLh.detach(), k_BGSh.detach(), v_BGSh.detach()
        attend = _fused if on_gpu else _unfused
        out_BHLh: Tensor = attend(
            q_BHLh,
            k_BGSh,
            v_BGSh,
            block_mask=_block_mask(mask, q_BHLh, k_BGSh),
            enable_gqa=self._is_grouped,
        )
        return out_BHLh

    def _refuse_head_dim(self) -> NoReturn:
        raise UnsupportedError(
            f"attention/flex cannot do head_dim {self.head_dim} on cuda.",
            where="attention/flex",
            expected=f"head_dim of {_MIN_COMPILED_HEAD_DIM} or more there",
            fix="choose another attention part for this slot: attention=eager does everything",
        )


def _fused(*args: Tensor, **kwargs: Any) -> Any:
    if torch.compiler.is_compiling():
        # within a model that is being compiled it is a part of that graph
        return _FLEX(*args, **kwargs)
    try:
        # beyond the limit torch would fall back to the unfused form; fullgraph makes it an error
        with torch._dynamo.config.patch(recompile_limit=_VARIANTS):
            return _compiled()(*args, **kwargs)
    except Exception as error:
        if (lacking := _lacking(error)) is None:
            raise
        raise UnavailableError(
            f"attention/flex cannot be compiled here ({lacking}).",
            where="attention/flex",
            expected="what torch.compile needs: triton, and a C compiler that it finds",
            fix="install them, or choose another attention part for this slot: attention=sdpa",
        ) from error


def _lacking(error: Exception) -> str | None:
    """What the machine lacks to compile anything, None where something else is wrong."""
    cause = getattr(error, "inner_exception", error)
    first = (str(cause).strip().splitlines() or [""])[0]
    # by name: the module that has them is slow to import, and not where torch was built without
    if type(cause).__name__ in _LACKING or first.startswith("Failed to find C compiler"):
        return f"{type(cause).__name__}: {first}"
    return None


@cache
def _compiled() -> Callable[..., Any]:
    with warnings.catch_warnings():
        # torch's compiler imports modules of its own that it warns about
        warnings.simplefilter("ignore")
        import_module("torch._inductor.compile_fx")
    compiled: Callable[..., Any] = torch.compile(_FLEX, fullgraph=True)
    return compiled


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
    # a tensor, not a number: compiled code would be made anew for every length of a prefix
    shared_S = positions_S < mask.shared_prefix
    return lambda b, h, query, key: (
        (key <= query) & ((document_S[query] == document_S[key]) | shared_S[key])
    )
