"""The shapes that a composition runs, derived from its parts and checked by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from plm_components.bench.workload import Use, Workload, workload
from plm_components.errors import ContractError, UsageError
from plm_components.zoo import Zoo
from plugin_dists import Site, registering
from small_specs import tiny_spec

# published sizes: encoder layers, heads and head size, class token; projector width; decoder
# layers, heads, key/value heads, head size
PUBLISHED = {
    "plm-1b": ((23, 16, 64, 1), 2048, (16, 32, 8, 64)),
    "plm-3b": ((23, 16, 64, 1), 3072, (28, 24, 8, 128)),
    "plm-8b": ((47, 16, 96, 0), 4096, (32, 32, 8, 128)),
}
# a canvas of 36 tiles and its thumbnail; 32 frames
TILES = {"36tiles": 37, "32frames": 32}


def only(work: Workload, name: str) -> Use:
    (found,) = [use for use in work.uses if use.operation.name == name]
    return found


def sizes(use: Use, *names: str) -> tuple[int | str, ...]:
    return tuple(use.operation.sizes[name] for name in names)


ATTENTION = ("batch", "num_heads", "num_kv_heads", "head_dim", "num_queries", "num_keys", "mask")


@pytest.mark.parametrize("given", TILES)
@pytest.mark.parametrize("spec", PUBLISHED)
def test_published_sizes_run_at_published_shapes(spec: str, given: str) -> None:
    (layers, heads, head_dim, prefix), width, decoder = PUBLISHED[spec]
    blocks, q_heads, kv_heads, size = decoder
    tiles = TILES[given]
    # a tile of 448 pixels in patches of 14 is 32x32 tokens, pooled 2x2; and 64 of text
    tokens, context = 32 * 32, tiles * 16 * 16 + 64
    work = workload(spec, given, dtype="bfloat16")
    assert work.context == context

    vision = only(work, "attention/vision")
    expected = (tiles, heads, heads, head_dim, tokens + prefix, tokens + prefix, "Full")
    assert (sizes(vision, *ATTENTION), vision.times) == (expected, layers)

    pool = only(work, "pooling/projector")
    expected = (tiles, 32, 32, width, 2, "gelu")
    names = ("batch", "grid_height", "grid_width", "channels", "window", "activation")
    assert (sizes(pool, *names), pool.times) == (expected, 1)

    prefill = only(work, "attention/prefill")
    expected = (1, q_heads, kv_heads, size, context, context, "Causal")
    assert (sizes(prefill, *ATTENTION), prefill.times) == (expected, blocks)

    decode = only(work, "attention/decode")
    expected = (1, q_heads, kv_heads, size, 1, context + 1, "CausalCached")
    assert (sizes(decode, *ATTENTION), decode.times) == (expected, blocks)
    assert sizes(decode, "lengths") == (str(context),)

    assert {use.operation.dtype for use in work.uses} == {torch.bfloat16}
    assert work.notes == ()


def test_the_projector_and_the_layers_are_wholes_too() -> None:
    work = workload("plm-3b", "36tiles", overrides=["projector.order=pool_last"])
    whole = only(work, "projector/whole")
    assert whole.part == "projector/avg_pool_mlp (order=pool_last, pooling=mean)"
    expected = (37, 32, 32, 1024, 3072, 2)
    names = ("batch", "grid_height", "grid_width", "in_dim", "out_dim", "pool")
    assert (sizes(whole, *names), whole.times, whole.is_kernel) == (expected, 1, False)
    for stage, length, cached in (("prefill", 9536, 0), ("decode", 1, 9536)):
        layer = only(work, f"decoder_block/{stage}")
        assert (layer.part, layer.times) == ("decoder_block/prenorm_gqa_swiglu", 28)
        expected = (1, length, cached, 3072, 24, 8, 128, 8192)
        assert tuple(layer.operation.sizes.values()) == expected


def test_the_price_of_products_is_counted_by_hand() -> None:
    work = workload("plm-1b", "1tile", dtype="bfloat16")
    # 1,025 positions through 23 layers of 1024 channels, and the patches of 14x14x3
    layer = 2 * 1025 * (4 * 1024 * 1024 + 2 * 1024 * 4096)
    assert work.rest["encode"].flops == 23 * layer + 2 * 1024 * 3 * 14 * 14 * 1024
    # the first layer on 1,024 tokens, the second on 256
    assert work.rest["project"].flops == 2 * 1024 * 1024 * 2048 + 2 * 256 * 2048 * 2048
    # 16 layers of 2048 channels with 512 of keys and of values, one row of logits
    layer = 2 * (2 * 2048 * 2048 + 2 * 2048 * 512 + 3 * 2048 * 8192)
    head = 2 * 2048 * 128256
    assert work.rest["prefill"].flops == 16 * layer * 320 + head
    assert work.rest["decode"].flops == 16 * layer + head
    # a token reads every weight of the decoder once
    weights = 2 * (16 * layer // 2 + head // 2)
    assert weights < work.rest["decode"].bytes < 1.02 * weights


def test_time_at_the_roofline_is_the_slower_of_arithmetic_and_memory() -> None:
    decode = workload("plm-1b", "1tile").rest["decode"]
    # no arithmetic to speak of: bytes over bandwidth
    assert decode.least_s(1e18, 1e9) == pytest.approx(decode.bytes / 1e9, rel=1e-6)
    assert decode.least_s(1e9, 1e18) == pytest.approx(decode.flops / 1e9, rel=1e-6)


def test_one_stage_alone_is_behind_the_largest_image() -> None:
    work = workload("plm-1b", "decode")
    assert [use.operation.name for use in work.uses] == ["attention/decode", "decoder_block/decode"]
    assert (work.context, list(work.rest)) == (37 * 256 + 64, ["decode"])


def test_overrides_and_text_change_the_shapes() -> None:
    edits = ["projector.pool=4", "decoder.block.attention=eager", "decoder.num_layers=3"]
    work = workload("plm-tiny", "1tile", overrides=edits, text_tokens=10)
    assert work.context == 2 * 2 + 10
    prefill = only(work, "attention/prefill")
    assert (prefill.part, prefill.times) == ("attention/eager", 3)


def test_gradients_leave_a_decoding_step_out() -> None:
    work = workload("plm-tiny", "1tile", backward=True)
    assert {use.stage for use in work.uses} == {"encode", "project", "prefill"}
    assert all(use.operation.backward for use in work.uses)


def test_attention_that_a_part_brings_itself_is_told() -> None:
    work = workload(tiny_spec(), "1tile")
    assert [use.stage for use in work.uses if use.is_kernel] == ["project", "prefill", "decode"]
    (note,) = work.notes
    assert note == (
        "encode: attention inside vision_encoder/timm is its own, and cannot be exchanged"
    )


def test_a_decoder_of_transformers_is_priced_too() -> None:
    config: dict[str, Any] = {
        "model_type": "qwen3",
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "vocab_size": 300,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 8,
        "intermediate_size": 48,
        "max_position_embeddings": 256,
    }
    spec = tiny_spec(decoder={"type": "hf", "config": config})
    work = workload(spec, "1tile")
    assert "decode: attention inside decoder/hf is its own, and cannot be exchanged" in work.notes
    # two layers of 32 channels with 16 of keys and of values, one row of logits
    layer = 2 * (2 * 32 * 32 + 2 * 32 * 16 + 3 * 32 * 48)
    products = [
        (one.flops, times)
        for one, times in work.rest["decode"].operators.items()
        if one.name != "attention"
    ]
    # and rotary angles of four frequencies, which transformers 5.17 counts as a product
    angles = sum(flops * times for flops, times in products) - 2 * layer - 2 * 32 * 300
    assert angles in (0, 2 * 4)


KERNEL = """
from plm_components.kernels.attention.eager import EagerAttention

class Loud(EagerAttention):
    def __init__(self, num_heads: int, num_kv_heads: int, head_dim: int, *, volume: int) -> None:
        raise RuntimeError("not on this machine")
"""


def test_a_plugins_kernel_in_the_spec_need_not_run_here(site: Site) -> None:
    site.module("loud_kernel", KERNEL)
    site.plugin("plm_loud", registering('"attention", "loud", "loud_kernel:Loud"'))
    edit = "vision_encoder.attention={type: loud, volume: 11}"
    work = workload("plm-tiny", "1tile", overrides=[edit], zoo=Zoo.discover())
    vision = only(work, "attention/vision")
    assert (vision.part, vision.times) == ("attention/loud", 4)
    # 8x8 patches and a class token
    assert sizes(vision, *ATTENTION) == (1, 4, 4, 32, 65, 65, "Full")


def test_an_input_that_the_composition_does_not_take_is_refused() -> None:
    with pytest.raises(UsageError, match="no input 'tiles'"):
        workload("plm-tiny", "tiles")
    with pytest.raises(UsageError, match="No image of this composition has a canvas of 36 tiles"):
        workload("plm-tiny", "36tiles")
    with pytest.raises(UsageError, match="No video of this composition has 32 frames"):
        workload("plm-tiny", "32frames")
    with pytest.raises(ContractError, match=r"11,536 positions .* do not fit"):
        workload("plm-1b", "36tiles", text_tokens=2064)
