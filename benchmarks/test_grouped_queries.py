"""What it costs to copy key/value heads for every query head, beside a kernel that does not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from plm_components.bench.contenders import contenders
from plm_components.bench.operation import Contender, Function, Operation
from plm_components.bench.operations import attention
from plm_components.bench.operations.masks import mask_of
from plm_components.contracts import Causal, CausalCached
from plm_components.kernels.attention.sdpa import SDPAAttention

EXPANDED = "heads copied, then attention/sdpa"


def operations(small: bool, device: torch.device) -> Iterator[Operation]:
    """The heads of Llama 3.2 1B and 3.1 8B: a prompt, a token behind 2048 and behind 36 tiles."""
    heads = ((4, 2, 16),) if small else ((32, 8, 64), (32, 8, 128))
    prompt, cached = (33, (40,)) if small else (1024, (2048, 9300))
    for dtype in (torch.float32, torch.bfloat16):
        for num_heads, num_kv_heads, head_dim in heads:
            sizes: dict[str, Any] = {
                "batch": 1,
                "num_heads": num_heads,
                "num_kv_heads": num_kv_heads,
                "head_dim": head_dim,
                "dtype": dtype,
                "device": device,
            }
            asked = [(prompt, prompt, Causal(), "prefill")] + [
                (1, length, CausalCached(torch.tensor([length - 1], device=device)), "decode")
                for length in cached
            ]
            for num_queries, num_keys, mask, name in asked:
                grouped = attention(
                    f"grouped queries/{name}",
                    num_queries=num_queries,
                    num_keys=num_keys,
                    mask=mask,
                    **sizes,
                )
                yield replace(grouped, oracle=EXPANDED)


def test_grouped_queries(kernel_bench: Any, operation: Operation) -> None:
    expanded = Contender(EXPANDED, "plm-components", "benchmark", _expanded)
    kernel_bench(operation, [expanded, *contenders(operation)])


def _expanded(operation: Operation) -> Function:
    """As transformers did for years: ``repeat_kv``, then a kernel with as many heads as queries."""
    sizes = operation.sizes
    num_heads, head_dim = int(sizes["num_heads"]), int(sizes["head_dim"])
    group = num_heads // int(sizes["num_kv_heads"])
    kernel = SDPAAttention(num_heads, num_heads, head_dim)
    mask = mask_of(sizes, operation.device)

    def attend(q_BHLh: Tensor, k_BGSh: Tensor, v_BGSh: Tensor) -> Tensor:
        k_BHSh, v_BHSh = (heads.repeat_interleave(group, 1) for heads in (k_BGSh, v_BGSh))
        return kernel(q_BHLh, k_BHSh, v_BHSh, mask)

    return attend
