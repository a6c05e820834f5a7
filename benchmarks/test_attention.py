"""Attention kernels at PerceptionLM's shapes: a tile, a prompt, a token behind a cache."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import pytest
import torch
from bench_gate import gate
from bench_ledger import Ledger
from torch import Tensor

from plm_components.contracts import Causal, CausalCached, Full, Mask
from plm_components.spec import candidates_of, signature_of
from plm_components.testing.oracles import attention_oracle, plain_attention, score_rounding
from plm_components.zoo import Entry, default_zoo

ENTRIES = default_zoo().entries("attention")
ORACLE = "attention/eager"


@dataclass(frozen=True)
class Shape:
    """One request.

    Args:
        name: What a model does with it.
        heads: Query heads.
        kv_heads: Key/value heads.
        head_dim: Channels of a head.
        num_queries: Positions asked.
        num_keys: Positions seen.
        dtype: Of everything.
    """

    name: str
    heads: int
    kv_heads: int
    head_dim: int
    num_queries: int
    num_keys: int
    dtype: torch.dtype

    @property
    def mask(self) -> Mask:
        """Full for vision, causal for a prompt, behind a cache for a token."""
        if self.name == "vision":
            return Full()
        before = torch.tensor([self.num_keys - self.num_queries])
        return Causal() if self.name == "prefill" else CausalCached(before)

    def __str__(self) -> str:
        dtype = str(self.dtype).removeprefix("torch.")
        heads = f"{self.heads}-{self.kv_heads}x{self.head_dim}"
        return f"{self.name}-{heads}-{self.num_queries}x{self.num_keys}-{dtype}"


def _shapes(*rows: tuple[Any, ...]) -> list[Shape]:
    return [Shape(*row, dtype) for dtype in (torch.float32, torch.bfloat16) for row in rows]


# PE-L/14 at 448 pixels with its class token; Llama 3.2 1B
SHAPES = _shapes(
    ("vision", 16, 16, 64, 1025, 1025),
    ("prefill", 32, 8, 64, 1024, 1024),
    ("decode", 32, 8, 64, 1, 2048),
)
SMALL = _shapes(
    ("vision", 4, 4, 16, 17, 17), ("prefill", 4, 2, 16, 33, 33), ("decode", 4, 2, 16, 1, 40)
)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.address)
def test_attention(benchmark: Any, ledger: Ledger, shape: Shape, entry: Entry) -> None:
    kernel = _kernel(entry, shape)
    q, k, v = _inputs(shape)
    exact, plain = _answers(shape)
    error = gate(
        entry.address, kernel(q, k, v, shape.mask), exact, plain, rounding=score_rounding(q, k)
    )
    ledger.time(
        benchmark,
        lambda mask=shape.mask: kernel(q, k, v, mask),
        group=f"attention {shape}",
        part=entry.address,
        error=error,
        is_oracle=entry.address == ORACLE,
    )


def _kernel(entry: Entry, shape: Shape) -> Any:
    if entry.status == "unavailable":
        pytest.skip(f"{entry.address} is unavailable: it {entry.reason}")
    cls = entry.load()
    unable = [
        what
        for what, able in (
            ("cpu", "cpu" in cls.support.devices),
            (type(shape.mask).__name__, type(shape.mask) in cls.support.masks),
            (str(shape.dtype), shape.dtype in cls.support.dtypes),
            ("grouped queries", shape.heads == shape.kv_heads or cls.support.gqa),
        )
        if not able
    ]
    if unable:
        pytest.skip(f"{entry.address} does not declare {', '.join(unable)}")
    candidates = candidates_of(signature_of(cls, entry.kind), default_zoo(), but=entry)
    return cls(shape.heads, shape.kv_heads, shape.head_dim, **candidates)


@lru_cache(maxsize=1)
def _inputs(shape: Shape) -> tuple[Tensor, Tensor, Tensor]:
    """Standard normals, the same for every kernel."""
    generator = torch.Generator().manual_seed(0)
    query = (1, shape.heads, shape.num_queries, shape.head_dim)
    key = (1, shape.kv_heads, shape.num_keys, shape.head_dim)
    q, k, v = (torch.randn(*size, generator=generator) for size in (query, key, key))
    return q.to(shape.dtype), k.to(shape.dtype), v.to(shape.dtype)


@lru_cache(maxsize=1)
def _answers(shape: Shape) -> tuple[Tensor, Tensor]:
    """float64 and the plain kernel's, a key/value head at a time: float64 scores are large."""
    q, k, v = _inputs(shape)
    groups = list(zip(q.chunk(shape.kv_heads, 1), k.split(1, 1), v.split(1, 1), strict=True))
    exact = torch.cat([attention_oracle(*group, shape.mask) for group in groups], 1)
    plain = torch.cat([plain_attention(*group, shape.mask) for group in groups], 1)
    return exact, plain
