"""Every registered part competes, a stranger's too; who cannot says why."""

from __future__ import annotations

import pytest
import torch

from plm_components.bench.contenders import contenders
from plm_components.bench.gate import examine
from plm_components.bench.operation import Contender, Operation
from plm_components.bench.operations import attention, pooling
from plm_components.contracts import CausalCached, Grid
from plm_components.errors import UnavailableError
from plm_components.zoo import Zoo
from plugin_dists import Site, registering

# right, and of the author's own options; wrong where it has no eyes
KERNEL = """
from plm_components.contracts import AttentionSupport, CausalCached
from plm_components.kernels.attention.eager import EagerAttention

class Mirrored:
    __plm_kind__ = "attention"
    support = AttentionSupport(
        masks=frozenset({CausalCached}), dtypes=EagerAttention.support.dtypes,
        devices=frozenset({"cpu", "meta"}), gqa=True, backward=frozenset(), precision="fast",
        gradient_precision="fast",
    )

    def __init__(self, num_heads: int, num_kv_heads: int, head_dim: int, *, flips: int = 2) -> None:
        self.num_heads, self.num_kv_heads, self.head_dim = num_heads, num_kv_heads, head_dim
        self.eager = EagerAttention(num_heads, num_kv_heads, head_dim)

    def __call__(self, q, k, v, mask):
        return self.eager(q, k, v, mask)
"""


def decode() -> Operation:
    return attention(
        "attention/decode",
        batch=1,
        num_heads=4,
        num_kv_heads=2,
        head_dim=8,
        num_queries=1,
        num_keys=33,
        mask=CausalCached(torch.tensor([32])),
        dtype=torch.float32,
        device="cpu",
    )


def by_part(operation: Operation, zoo: Zoo) -> dict[str, Contender]:
    return {contender.part: contender for contender in contenders(operation, zoo)}


def test_everything_registered_competes_in_attention() -> None:
    zoo = Zoo.discover()
    found = by_part(decode(), zoo)
    assert set(found) == {entry.address for entry in zoo.entries("attention")}
    for part in ("attention/eager", "attention/sdpa"):
        assert examine(decode(), found[part], seed=0).fault is None
        assert found[part].precision == "exact"
        # a fused backward multiplies probabilities that are rounded
        fused = part == "attention/sdpa"
        assert found[part].gradient_precision == ("fast" if fused else "exact")
        assert found[part].provider == "plm-components"


def test_everything_registered_competes_in_pooling() -> None:
    zoo = Zoo.discover()
    operation = pooling(
        "pooling/small",
        batch=2,
        grid=Grid(4, 6),
        channels=8,
        dtype=torch.float32,
        device="cpu",
        backward=True,
    )
    found = by_part(operation, zoo)
    assert set(found) == {entry.address for entry in zoo.entries("pooling")}
    for part in ("pooling/mean", "pooling/adaptive"):
        assert examine(operation, found[part], seed=0).fault is None


def test_a_plugins_kernel_joins_without_an_edit(site: Site) -> None:
    site.module("mirrored_kernel", KERNEL)
    site.plugin(
        "plm_mirrored", registering('"attention", "mirrored", "mirrored_kernel:Mirrored"'), "2.5"
    )
    found = by_part(decode(), Zoo.discover())["attention/mirrored"]
    assert (found.provider, found.version) == ("plm-mirrored", "2.5")
    assert (found.precision, found.gradient_precision) == ("fast", "fast")
    assert examine(decode(), found, seed=0).fault is None


def test_a_part_that_is_not_available_refuses_with_the_zoos_reason(site: Site) -> None:
    line = '"attention", "far", "nowhere:Far", requires=("no-such-distribution>=9",)'
    site.plugin("plm_far", registering(line))
    zoo = Zoo.discover()
    found = by_part(decode(), zoo)["attention/far"]
    reason = zoo.get("attention", "far").reason
    assert reason
    with pytest.raises(UnavailableError, match=reason.partition(" ")[0]):
        found.prepare(decode())
