"""Keys that several query heads share are never repeated: no tensor of that size is made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from attention_cases import inputs
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from plm_components.contracts import CausalCached, Full, Mask
from plm_components.kernels.attention.eager import EagerAttention
from plm_components.kernels.attention.grouped import GroupedAttention
from plm_components.kernels.attention.paired_heads import PairedHeadsAttention
from plm_components.kernels.attention.sdpa import SDPAAttention
from plm_components.zoo import default_zoo

HEADS, KV_HEADS, HEAD_DIM = 16, 2, 64
CASES: dict[str, tuple[int, int, Mask]] = {
    "full": (3, 90, Full()),
    "one query": (1, 90, CausalCached(torch.tensor([89, 40]))),
    "queries behind a cache": (4, 90, CausalCached(torch.tensor([80, 40]))),
}
PARTS = (SDPAAttention, GroupedAttention, PairedHeadsAttention)
TRIED = [
    (part, case) for part in PARTS for case in CASES if type(CASES[case][2]) in part.support.masks
]


class Storages(TorchDispatchMode):
    """Remembers the bytes behind every tensor that an operator returns."""

    def __init__(self, *known: Tensor) -> None:
        super().__init__()
        self.known = {x.untyped_storage().data_ptr() for x in known}
        self.sizes: list[int] = [0]

    def __torch_dispatch__(
        self,
        function: Callable[..., Any],
        types: object,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        returned = function(*args, **(kwargs or {}))
        for x in tree_leaves(returned):
            if isinstance(x, Tensor) and x.untyped_storage().data_ptr() not in self.known:
                self.sizes.append(x.untyped_storage().nbytes())
        return returned


def _largest(part: type, case: str) -> tuple[int, int]:
    """Bytes of the largest tensor that a call makes, and of the keys with their heads repeated."""
    queries, keys, mask = CASES[case]
    q, k, v = inputs(HEADS, KV_HEADS, queries, keys, head_dim=HEAD_DIM)
    with torch.no_grad(), Storages(q, k, v) as storages:
        part(HEADS, KV_HEADS, HEAD_DIM)(q, k, v, mask)
    return max(storages.sizes), k.nbytes * HEADS // KV_HEADS


@pytest.mark.parametrize(("part", "case"), TRIED)
def test_nothing_as_large_as_repeated_keys_is_made(part: type, case: str) -> None:
    largest, repeated = _largest(part, case)
    assert largest < repeated / 2


def test_the_measure_sees_a_repetition() -> None:
    # the oracle multiplies over a broadcast axis, which torch repeats
    largest, repeated = _largest(EagerAttention, "full")
    assert largest >= repeated


ON_GPU = [("sdpa", torch.float32), ("sdpa", torch.bfloat16), ("flex", torch.bfloat16)]
ON_GPU += [(name, torch.bfloat16) for name in ("xformers", "flash_attn", "flash_attn_4")]
LONG: dict[str, tuple[int, int, Mask]] = {
    "full": (8, 4096, Full()),
    "one query": (1, 4096, CausalCached(torch.tensor([4095, 4095]))),
    "queries behind an uneven cache": (8, 4096, CausalCached(torch.tensor([4000, 3000]))),
}


@pytest.mark.parametrize("case", LONG)
@pytest.mark.parametrize(("name", "dtype"), ON_GPU)
def test_a_gpu_does_not_hold_repeated_keys(name: str, dtype: torch.dtype, case: str) -> None:
    entry = default_zoo().get("attention", name)
    if entry.status != "available":
        pytest.skip(str(entry.reason))
    if not torch.cuda.is_available():
        pytest.skip("needs cuda")
    queries, keys, mask = LONG[case]
    q, k, v = inputs(32, 2, queries, keys, dtype, "cuda", head_dim=64)
    part = entry.load()(32, 2, 64)
    part(q, k, v, mask)
    torch.cuda.synchronize()
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    part(q, k, v, mask)
    torch.cuda.synchronize()
    # a copy of the keys and values as they are is allowed, sixteen of each are not
    assert torch.cuda.max_memory_allocated() - before < 4 * (k.nbytes + v.nbytes)
