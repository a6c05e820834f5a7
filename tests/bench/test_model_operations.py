"""Norms, rotary, SwiGLU, the projector and a decoder's layer: what is true, and what it costs."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from plm_components.bench.contenders import contenders
from plm_components.bench.gate import examine
from plm_components.bench.operation import Contender, Operation
from plm_components.bench.operations import (
    BlockSizes,
    decoder_block,
    projector,
    rms_norm,
    rotary,
    swiglu,
)
from plm_components.contracts import Grid
from plm_components.errors import UnsupportedError
from plm_components.kernels.rotary import apply_rotary
from plm_components.zoo import Zoo
from plugin_dists import Site, registering

PROMPT = BlockSizes(
    batch=2, length=9, cached=0, dim=32, num_heads=4, num_kv_heads=2, head_dim=8, ffn_dim=48
)
TOKEN = BlockSizes(
    batch=2, length=1, cached=8, dim=32, num_heads=4, num_kv_heads=2, head_dim=8, ffn_dim=48
)


def normed(*, backward: bool = False) -> Operation:
    return rms_norm(
        "rms_norm/small", rows=3, dim=24, dtype=torch.float32, device="cpu", backward=backward
    )


def turned(*, backward: bool = False) -> Operation:
    return rotary(
        "rotary/small",
        batch=2,
        num_heads=3,
        num_kv_heads=1,
        length=5,
        head_dim=8,
        dtype=torch.bfloat16,
        device="cpu",
        backward=backward,
    )


def gated(*, backward: bool = False) -> Operation:
    return swiglu(
        "swiglu/small", rows=3, dim=24, dtype=torch.float32, device="cpu", backward=backward
    )


def projected(*, backward: bool = False) -> Operation:
    return projector(
        "projector/small",
        batch=3,
        grid=Grid(4, 6),
        in_dim=8,
        out_dim=12,
        dtype=torch.float32,
        device="cpu",
        backward=backward,
    )


def layer(sizes: BlockSizes, *, backward: bool = False) -> Operation:
    return decoder_block(
        "decoder_block/small", sizes, dtype=torch.float32, device="cpu", backward=backward
    )


def drawn(operation: Operation) -> tuple[Tensor, ...]:
    return operation.draw(torch.Generator().manual_seed(0), "normal")


def test_the_norms_truth_is_torchs() -> None:
    x, weight = drawn(normed())
    expected = F.rms_norm(x.double(), (24,), weight.double(), eps=1e-5)
    torch.testing.assert_close(normed().exact(x, weight), expected)
    assert normed().work.bytes == 4 * (2 * 3 * 24 + 24)
    assert normed(backward=True).work.bytes == 2 * 4 * (2 * 3 * 24 + 24)


def test_rotarys_truth_turns_pairs_as_complex_numbers() -> None:
    q, k, cos, sin = drawn(turned())
    tables = (cos.double(), sin.double())
    expected = (apply_rotary(q.double(), tables), apply_rotary(k.double(), tables))
    torch.testing.assert_close(turned().exact(q, k, cos, sin), expected)
    assert turned().work.flops == 3 * 2 * (3 + 1) * 5 * 8
    # bf16 in and out, two fp32 tables
    assert turned().work.bytes == 2 * 2 * 2 * (3 + 1) * 5 * 8 + 4 * 2 * 2 * 5 * 8


def test_the_gates_truth_is_torchs_silu() -> None:
    (gate_up,) = drawn(gated())
    gate, up = gate_up.double().chunk(2, -1)
    torch.testing.assert_close(gated().exact(gate_up), F.silu(gate) * up)
    assert gated().work.bytes == 4 * 3 * 3 * 24


def norm_kernel(x: Tensor, weight: Tensor) -> Tensor:
    return F.rms_norm(x, x.shape[-1:], weight, eps=1e-5)


def rotary_kernel(q: Tensor, k: Tensor, cos: Tensor, sin: Tensor) -> tuple[Tensor, Tensor]:
    return apply_rotary(q, (cos, sin)), apply_rotary(k, (cos, sin))


def gate_kernel(gate_up: Tensor) -> Tensor:
    gate, up = gate_up.chunk(2, -1)
    return F.silu(gate) * up


@pytest.mark.parametrize(
    ("make", "kernel"), [(normed, norm_kernel), (turned, rotary_kernel), (gated, gate_kernel)]
)
@pytest.mark.parametrize("backward", [False, True])
def test_plain_kernels_pass_the_gate_at_every_trial(
    make: Callable[..., Operation], kernel: Callable[..., Tensor], backward: bool
) -> None:
    operation = make(backward=backward)
    contender = Contender("kernel", "tests", "0", lambda _: kernel)
    verdict = examine(operation, contender, seed=0)
    assert verdict.fault is None
    assert verdict.trials == len(list(operation.trials()))


@pytest.mark.parametrize("backward", [False, True])
def test_the_projector_is_priced_as_pooling_first(backward: bool) -> None:
    operation = projected(backward=backward)
    (first,) = [
        one
        for one in contenders(operation, Zoo.discover())
        if one.part == "projector/avg_pool_mlp (order=pool_first, pooling=mean)"
    ]
    function = first.prepare(operation)
    x = [tensor.requires_grad_(backward) for tensor in drawn(operation)]
    with FlopCounterMode(display=False) as counter, torch.set_grad_enabled(backward):
        out = function(*x)
        if backward:
            assert isinstance(out, Tensor)
            out.sum().backward()
    # torch counts products; the activation and the mean come on top
    between = 2 * 3 * 24 * 12 * (2 if backward else 1)
    assert operation.work.flops == counter.get_total_flops() + between
    moved = 4 * (3 * 24 * 8 + 12 * 8 + 12 + 12 * 12 + 12 + 3 * 6 * 12)
    assert operation.work.bytes == moved * (2 if backward else 1)


@pytest.mark.parametrize("backward", [False, True])
def test_both_orders_compete_with_every_pooling_part(backward: bool) -> None:
    zoo, operation = Zoo.discover(), projected(backward=backward)
    found = {one.part: one for one in contenders(operation, zoo)}
    orders = [part for part in found if part.startswith("projector/avg_pool_mlp")]
    assert len(orders) == 2 * len(zoo.entries("pooling"))
    assert operation.oracle in found
    for order in ("pool_last", "pool_first"):
        for pooling in ("mean", "adaptive"):
            part = f"projector/avg_pool_mlp (order={order}, pooling={pooling})"
            assert examine(operation, found[part], seed=0).fault is None
    with pytest.raises(UnsupportedError, match="another function than projector/avg_pool_mlp"):
        found["projector/linear"].prepare(operation)


@pytest.mark.parametrize("sizes", [PROMPT, TOKEN], ids=["prompt", "token"])
def test_a_layer_costs_its_products_and_its_pairs(sizes: BlockSizes) -> None:
    weights = 2 * 32 * 32 + 2 * 32 * 16 + 3 * 32 * 48
    positions = 2 * sizes.length
    pairs = 2 * (9 * 10 // 2 if sizes.cached == 0 else 9)
    operation = layer(sizes)
    assert operation.work.flops == 2 * positions * weights + 4 * 32 * pairs
    memory = 2 * 2 * 16 * 9 if sizes.cached else 0
    assert operation.work.bytes == 4 * (weights + 2 * 32 + 2 * positions * 32 + memory)


@pytest.mark.parametrize(("sizes", "backward"), [(PROMPT, False), (PROMPT, True), (TOKEN, False)])
def test_the_plain_layer_passes_the_gate(sizes: BlockSizes, backward: bool) -> None:
    operation = layer(sizes, backward=backward)
    found = {one.part: one for one in contenders(operation, Zoo.discover())}
    verdict = examine(operation, found["decoder_block/prenorm_gqa_swiglu"], seed=0)
    assert (verdict.fault, verdict.trials, verdict.declined) == (None, 2, 0)


def test_the_oracle_writes_behind_its_cache_and_always_there() -> None:
    (x,) = drawn(layer(TOKEN))
    operation = layer(TOKEN)
    exact = operation.exact(x)
    assert isinstance(exact, Tensor)
    assert (exact.shape, exact.dtype) == ((2, 1, 32), torch.float64)
    operation.exact(x + 1)
    torch.testing.assert_close(operation.exact(x), exact, rtol=0, atol=0)


BLOCK = """
from plm_components.decoder_blocks.prenorm_gqa_swiglu import PrenormGQASwiGLUBlock

class Doubled(PrenormGQASwiGLUBlock):
    def forward(self, x_BLD, rotary, mask, cache=None):
        return super().forward(x_BLD, rotary, mask, cache) * 1.01
"""


def test_a_plugins_layer_with_the_same_weights_is_held_to_the_same_truth(site: Site) -> None:
    site.module("doubled_block", BLOCK)
    line = '"decoder_block", "doubled", "doubled_block:Doubled"'
    site.plugin("plm_doubled", registering(line))
    found = {one.part: one for one in contenders(layer(PROMPT), Zoo.discover())}
    fault = examine(layer(PROMPT), found["decoder_block/doubled"], seed=0).fault
    assert fault is not None
    assert "error" in fault
