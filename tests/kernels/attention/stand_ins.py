"""Stand-ins for other people's CUDA kernels: their documented functions, in float64 on any device.

What is tested with them is what our parts pass and make of it: layouts, blocks, alignment. Whether
the kernels themselves do what they document is for a GPU to say.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor


def _attend(q_LHh: Tensor, k_SGh: Tensor, v_SGh: Tensor, *, causal: bool) -> Tensor:
    """One sequence; causal is aligned at the last query and key; no key, no output."""
    shared = q_LHh.shape[1] // k_SGh.shape[1]
    q, k, v = q_LHh.double(), k_SGh.double(), v_SGh.double()
    k, v = k.repeat_interleave(shared, 1), v.repeat_interleave(shared, 1)
    scores = torch.einsum("lhd,shd->hls", q, k) * q.shape[-1] ** -0.5
    allowed = torch.ones(len(q), len(k), dtype=torch.bool, device=q.device)
    if causal:
        allowed = allowed.tril(len(k) - len(q))
    weights = scores.masked_fill(~allowed, -torch.inf).softmax(-1).masked_fill(~allowed, 0.0)
    return torch.einsum("hls,shd->lhd", weights, v).to(q_LHh.dtype)


def flash_attn_func(q: Tensor, k: Tensor, v: Tensor, *, causal: bool = False) -> Tensor:
    """``(B, L, H, h)`` as FlashAttention 2 documents it."""
    return torch.stack([_attend(*row, causal=causal) for row in zip(q, k, v, strict=True)])


def flash_attn_varlen_func(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    *,
    cu_seqlens_q: Tensor,
    cu_seqlens_k: Tensor,
    max_seqlen_q: int,
    max_seqlen_k: int,
    causal: bool = False,
) -> Tensor:
    """``(total, H, h)``; every demand that the CUDA code checks is checked."""
    for starts, tensor, longest in (
        (cu_seqlens_q, q, max_seqlen_q),
        (cu_seqlens_k, k, max_seqlen_k),
    ):
        assert starts.dtype == torch.int32
        assert starts[0] == 0
        assert starts[-1] == len(tensor)
        assert int(starts.diff().max()) == longest
    blocks = zip(
        q.split(cu_seqlens_q.diff().tolist()),
        k.split(cu_seqlens_k.diff().tolist()),
        v.split(cu_seqlens_k.diff().tolist()),
        strict=True,
    )
    return torch.cat([_attend(*block, causal=causal) for block in blocks])


def flash_attn_with_kvcache(
    q: Tensor, k_cache: Tensor, v_cache: Tensor, *, cache_seqlens: Tensor, causal: bool = False
) -> Tensor:
    """``(B, L, H, h)`` over the first ``cache_seqlens[b]`` keys; without gradients."""
    assert cache_seqlens.dtype == torch.int32
    assert k_cache.stride(-1) == v_cache.stride(-1) == 1
    rows = zip(q, k_cache, v_cache, cache_seqlens.tolist(), strict=True)
    return torch.stack([_attend(q, k[:n], v[:n], causal=causal) for q, k, v, n in rows]).detach()


def _cute_func(q: Tensor, k: Tensor, v: Tensor, *, causal: bool = False) -> tuple[Tensor, None]:
    return flash_attn_func(q, k, v, causal=causal), None


def _cute_varlen_func(
    q: Tensor, k: Tensor, v: Tensor, *, seqused_k: Tensor | None = None, **rest: Any
) -> tuple[Tensor, None]:
    if seqused_k is None:
        return flash_attn_varlen_func(q, k, v, **rest), None
    assert seqused_k.dtype == torch.int32
    rows = zip(q, k, v, seqused_k.tolist(), strict=True)
    out = [_attend(q, k[:n], v[:n], causal=rest["causal"]) for q, k, v, n in rows]
    # what stands where a query sees no key is not documented
    blind = torch.arange(q.shape[1]) + seqused_k[:, None].cpu() - q.shape[1] < 0
    stacked = torch.stack(out)
    return stacked.masked_fill(blind[..., None, None].to(stacked.device), torch.nan), None


class LowerTriangularMask:
    """Aligned at the first query and key."""


class LowerTriangularFromBottomRightMask:
    """Aligned at the last query and key."""


@dataclass
class BlockDiagonalCausalFromBottomRightMask:
    """Blocks of queries and keys, each aligned at its last."""

    query_lens: list[int]
    key_lens: list[int]

    @classmethod
    def from_seqlens(
        cls, q_seqlen: list[int], kv_seqlen: list[int], *, device: torch.device
    ) -> BlockDiagonalCausalFromBottomRightMask:
        assert all(keys >= queries for queries, keys in zip(q_seqlen, kv_seqlen, strict=True))
        assert isinstance(device, torch.device)
        return cls(q_seqlen, kv_seqlen)


def memory_efficient_attention(
    query: Tensor, key: Tensor, value: Tensor, attn_bias: object = None
) -> Tensor:
    """``(B, M, G, H, K)``, heads of a group being views of one."""
    assert query.ndim == key.ndim == value.ndim == 5
    assert query.shape[2:] == key.shape[2:]
    assert key.shape[3] == 1 or key.stride(3) == value.stride(3) == 0
    q, k, v = query.flatten(2, 3), key[:, :, :, 0], value[:, :, :, 0]
    if isinstance(attn_bias, BlockDiagonalCausalFromBottomRightMask):
        assert len(q) == 1
        blocks = zip(
            q[0].split(attn_bias.query_lens),
            k[0].split(attn_bias.key_lens),
            v[0].split(attn_bias.key_lens),
            strict=True,
        )
        out = torch.cat([_attend(*block, causal=True) for block in blocks])[None]
    else:
        # aligned at the first it would be another mask
        assert not isinstance(attn_bias, LowerTriangularMask) or q.shape[1] == k.shape[1]
        out = flash_attn_func(q, k, v, causal=attn_bias is not None)
    return out.view_as(query)


def _module(name: str, **contents: object) -> ModuleType:
    module = ModuleType(name)
    module.__dict__.update(contents)
    return module


def install(monkeypatch: pytest.MonkeyPatch, part: type) -> None:
    """Puts the stand-ins where the part looks for its kernels, and lets it run on a CPU."""
    biases = (
        LowerTriangularMask,
        LowerTriangularFromBottomRightMask,
        BlockDiagonalCausalFromBottomRightMask,
    )
    for module in (
        _module(
            "flash_attn",
            flash_attn_func=flash_attn_func,
            flash_attn_varlen_func=flash_attn_varlen_func,
            flash_attn_with_kvcache=flash_attn_with_kvcache,
        ),
        _module(
            "flash_attn.cute",
            flash_attn_func=_cute_func,
            flash_attn_varlen_func=_cute_varlen_func,
        ),
        _module("xformers"),
        _module("xformers.ops"),
        _module("xformers.ops.fmha", memory_efficient_attention=memory_efficient_attention),
        _module("xformers.ops.fmha.attn_bias", **{one.__name__: one for one in biases}),
    ):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    support = part.support  # type: ignore[attr-defined]
    here = replace(support, devices=support.devices | {"cpu"})
    if "cuda" in support.backward:
        here = replace(here, backward=support.backward | {"cpu"})
    monkeypatch.setattr(part, "support", here)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device=None: (9, 0))
