"""Attention kernels as PerceptionLM asks for them: a tile, a prompt, a token behind a cache."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import torch

from plm_components.bench.contenders import contenders
from plm_components.bench.operation import Operation
from plm_components.bench.operations import attention
from plm_components.contracts import Causal, CausalCached, Documents, Full

DTYPES = (torch.float32, torch.bfloat16)


def operations(small: bool, device: torch.device) -> Iterator[Operation]:
    """PE-L/14 at 448 pixels with its class token; Llama 3.2 1B on a prompt and behind 36 tiles."""
    vision = (4, 4, 16) if small else (16, 16, 64)
    text = (4, 2, 16) if small else (32, 8, 64)
    tile, prompt, cached = (17, 33, (40,)) if small else (1025, 1024, (2048, 9300))
    # a processor gains nothing from a second tile in the same call
    tiles = (1, 36) if device.type == "cuda" and not small else (1,)
    # questions packed behind one another, as in training
    packed = torch.tensor([0, prompt // 3, prompt // 2, prompt], device=device)
    for dtype, backward in product(DTYPES, (False, True)):
        how: dict[str, Any] = {"dtype": dtype, "device": device, "backward": backward}
        for batch in tiles:
            yield _of("vision", batch, vision, (tile, tile), Full(), **how)
        yield _of("prefill", 1, text, (prompt, prompt), Causal(), **how)
        yield _of("packed", 1, text, (prompt, prompt), Documents(packed), **how)
        for before in cached if not backward else ():
            lengths = torch.tensor([before - 1], device=device)
            yield _of("decode", 1, text, (1, before), CausalCached(lengths), **how)


def test_attention(kernel_bench: Any, operation: Operation) -> None:
    kernel_bench(operation, contenders(operation))


def _of(
    name: str, batch: int, heads: tuple[int, int, int], seen: tuple[int, int], mask: Any, **how: Any
) -> Operation:
    num_heads, num_kv_heads, head_dim = heads
    num_queries, num_keys = seen
    return attention(
        f"attention/{name}",
        batch=batch,
        num_heads=num_heads,
        num_kv_heads=num_kv_heads,
        head_dim=head_dim,
        num_queries=num_queries,
        num_keys=num_keys,
        mask=mask,
        **how,
    )
