"""Specs become parts: nested ones first, repeated ones by a factory, failures with their path."""

import pytest
import torch

from plm_components.assembly import build
from plm_components.errors import ContractError, TokenizerError
from plm_components.spec import load_spec, resolve
from plm_components.zoo import Zoo
from small_specs import tiny_spec


def test_every_slot_is_built_and_wired() -> None:
    parts = build(resolve(load_spec(tiny_spec())))
    assert parts.projector.in_dim == parts.vision_encoder.width == 32
    assert parts.projector.out_dim == parts.decoder.width == 32
    assert parts.image_tiler.tile_size == parts.frame_transform.tile_size == 56
    assert [block.layer_index for block in parts.decoder.layers] == [0, 1]
    assert parts.decoder.layers[1].attention.num_kv_heads == 2
    assert parts.tokenizer.vocab_size == 276


def test_each_layer_has_a_block_and_a_kernel_of_its_own() -> None:
    parts = build(resolve(load_spec(tiny_spec())))
    kernels = parts.instances["decoder.block.attention"]
    assert len(kernels) == len(parts.instances["decoder.block"]) == 2
    assert kernels[0] is not kernels[1]
    assert kernels == [block.attention for block in parts.decoder.layers]


def test_empty_slots_stay_empty() -> None:
    spec = tiny_spec(video_reader=None, video_sampler=None, frame_transform=None)
    parts = build(resolve(load_spec(spec)))
    assert (parts.video_reader, parts.video_sampler, parts.frame_transform) == (None, None, None)


def test_meta_takes_no_memory_and_leaves_the_defaults_of_torch_alone() -> None:
    parts = build(resolve(load_spec(tiny_spec())), device="meta", dtype=torch.bfloat16)
    weights = [*parts.vision_encoder.parameters(), *parts.decoder.parameters()]
    assert {(w.device.type, w.dtype) for w in weights} == {("meta", torch.bfloat16)}
    assert torch.get_default_dtype() == torch.float32
    assert torch.empty(1).device.type == "cpu"


def test_attention_nested_in_a_projector_works_in_its_out_dim(fakes: Zoo) -> None:
    spec = load_spec(tiny_spec(projector={"type": "attending", "num_heads": 2}))
    attention = build(resolve(spec, fakes)).projector.attention
    assert (attention.num_heads, attention.num_kv_heads, attention.head_dim) == (2, 2, 16)


def test_an_optional_nested_part_may_be_absent(fakes: Zoo) -> None:
    spec = load_spec(tiny_spec(projector={"type": "stacked"}))
    assert build(resolve(spec, fakes)).projector.attention is None


def test_what_a_constructor_raises_names_the_path(fakes: Zoo) -> None:
    spec = load_spec(tiny_spec(projector={"type": "failing"}))
    with pytest.raises(ContractError) as caught:
        build(resolve(spec, fakes))
    assert str(caught.value) == (
        "projector/failing cannot be built: ValueError: depth 2 is too deep\n"
        "  where:    projector\n"
        "  expected: options the part can be built with\n"
        "  fix:      change the options of projector; plm show projector/failing lists them"
    )


def test_an_error_of_ours_keeps_its_text_and_gains_the_path() -> None:
    spec = load_spec(tiny_spec(), ["decoder.block.num_kv_heads=3"])
    with pytest.raises(ContractError) as caught:
        build(resolve(spec))
    assert caught.value.what == "4 query heads of 8 channels cannot share 3 key/value heads."
    assert caught.value.where == "decoder.block.attention (attention/sdpa)"


def test_a_failed_build_leaves_the_defaults_of_torch_alone() -> None:
    spec = load_spec(tiny_spec(), ["decoder.num_layers=0"])
    with pytest.raises(ContractError):
        build(resolve(spec), device="meta", dtype=torch.float64)
    assert torch.get_default_dtype() == torch.float32
    assert torch.empty(1).device.type == "cpu"


def test_a_tokenizer_without_files_cannot_be_built(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    spec = load_spec(tiny_spec(tokenizer={"type": "hf", "path": f"{tmp_path}/nothing"}))
    with pytest.raises(TokenizerError) as caught:
        build(resolve(spec))
    assert caught.value.where.startswith("tokenizer (")
