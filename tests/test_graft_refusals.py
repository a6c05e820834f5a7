"""Checkpoints that are none of their part's: each is named as what it is, before any memory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

import graft_files as files
import plm_components as plm
from plm_components.errors import UsageError
from small_specs import tiny_spec

PE_NATIVE = {
    "type": "pe", "dim": 32, "num_layers": 2, "num_heads": 2, "ffn_dim": 128, "image_size": 56,
}  # fmt: skip
SIGLIP = {"type": "hf", "config": {"model_type": "siglip_vision_model", **files.VISION}}


def refused(**slots: Any) -> str:
    with pytest.raises(plm.PlmError) as caught:
        plm.assemble(tiny_spec(**slots), init="random")
    return str(caught.value)


def native(weights: str) -> dict[str, Any]:
    return {**tiny_spec()["decoder"], "rope_theta": 500000.0, "weights": weights}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip")
    files.clip(path)
    return path


@pytest.fixture(scope="module")
def siglip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("siglip")
    files.siglip(path)
    return path


def test_a_clip_given_as_siglip(clip: Path) -> None:
    assert refused(vision_encoder={**SIGLIP, "weights": f"hf:{clip}"}) == (
        "This is a clip checkpoint (CLIPModel), not a siglip_vision_model.\n"
        f"  where:    vision_encoder.weights: hf:{clip}\n"
        "  expected: a checkpoint with a siglip_vision_model tower\n"
        "  fix:      name weights of a siglip_vision_model, or give vision_encoder.config the "
        "tower of this one"
    )


def test_it_is_named_before_anything_is_allocated(clip: Path) -> None:
    # fresh, this decoder alone would take 32 GB
    spec = {"plm": 1, "base": "plm-8b", "tokenizer": tiny_spec()["tokenizer"]}
    overrides = [f"vision_encoder.weights=hf:{clip}"]
    with pytest.raises(plm.PlmError) as caught:
        plm.assemble(spec, overrides=overrides, init="random")
    assert str(caught.value) == (
        "This is a clip checkpoint (CLIPModel), in which there is no timm backbone.\n"
        f"  where:    vision_encoder.weights: hf:{clip}\n"
        "  expected: a timm checkpoint (timm:<file or directory>), or a transformers directory "
        "that holds a timm tower: a perception_lm or a timm_wrapper\n"
        "  fix:      name weights of a timm backbone, or choose vision_encoder=hf for this "
        "checkpoint"
    )


def test_a_tower_of_other_sizes(siglip: Path) -> None:
    config = {**SIGLIP["config"], "hidden_size": 64, "num_attention_heads": 4}
    slot = {"type": "hf", "config": config, "weights": f"hf:{siglip}"}
    assert refused(vision_encoder=slot) == (
        "The checkpoint is of another size or kind than the spec: 2 keys differ.\n"
        f"  where:    vision_encoder.weights: hf:{siglip}\n"
        "  expected: the configuration of the spec; in the checkpoint hidden_size is 32, not 64; "
        "num_attention_heads is 2, not 4\n"
        "  fix:      set vision_encoder.config to what the checkpoint has, or name other weights"
    )


def test_an_encoder_alone_for_a_decoder(siglip: Path) -> None:
    assert refused(decoder=native(f"hf:{siglip}")) == (
        "This is a siglip checkpoint (SiglipModel), not a Llama.\n"
        f"  where:    decoder.weights: hf:{siglip}\n"
        "  expected: a directory of transformers of model_type llama, or a PerceptionLM\n"
        "  fix:      name weights of a Llama, or choose decoder=hf for another causal language "
        "model"
    )


def test_a_timm_file_for_a_decoder(tmp_path: Path) -> None:
    file = tmp_path / "llama.safetensors"
    files.timm_file(file, files.PE_MODEL, files.PE)
    assert refused(decoder=native(f"timm:{file}")).startswith(
        "This is a file of 33 tensors such as blocks.0.attn.proj.bias, not a Llama.\n"
        f"  where:    decoder.weights: timm:{file}\n"
    )


def test_a_qwen3_for_the_native_decoder(tmp_path: Path) -> None:
    files.qwen3(tmp_path)
    assert refused(decoder=native(f"hf:{tmp_path}")).startswith(
        "This is a qwen3 checkpoint (Qwen3ForCausalLM), not a Llama.\n"
    )


def test_a_llama_for_a_qwen3(tmp_path: Path) -> None:
    files.llama(tmp_path, tied=True, rope=files.PLAIN_ROPE)
    config = {**files.LLAMA, "model_type": "qwen3", "head_dim": 8}
    slot = {"type": "hf", "config": config, "weights": f"hf:{tmp_path}"}
    assert refused(decoder=slot) == (
        "This is a llama checkpoint (LlamaForCausalLM), not a qwen3.\n"
        f"  where:    decoder.weights: hf:{tmp_path}\n"
        "  expected: a directory of transformers of model_type qwen3\n"
        "  fix:      name weights of a qwen3, or set decoder.config (or decoder.path) to this one"
    )


def test_a_llama_of_other_sizes_and_another_stretch(tmp_path: Path) -> None:
    more = {"num_key_value_heads": 4, "rms_norm_eps": 1e-6}
    files.llama(tmp_path, tied=False, rope=files.LLAMA3_ROPE, **more)
    assert refused(decoder=native(f"hf:{tmp_path}")) == (
        "The checkpoint is of another size or kind than the spec: 8 keys differ.\n"
        f"  where:    decoder.weights: hf:{tmp_path}\n"
        "  expected: the configuration of the spec; in the checkpoint factor is 8.0, not 1.0; "
        "high_freq_factor is 4.0, not None; low_freq_factor is 1.0, not None; num_key_value_heads "
        "is 4, not 2; original_max_position_embeddings is 64, not None; rms_norm_eps is 1e-06, not "
        "1e-05; and rope_type, tie_word_embeddings\n"
        "  fix:      set decoder in the spec to what the checkpoint has, or name other weights"
    )


def test_another_timm_backbone(tmp_path: Path) -> None:
    files.timm_directory(tmp_path, "resnet10t", {})
    assert refused(vision_encoder={**PE_NATIVE, "weights": f"timm:{tmp_path}"}) == (
        "This is a timm checkpoint of resnet10t; its backbone is a resnet10t, not a "
        f"{files.PE_MODEL}.\n"
        f"  where:    vision_encoder.weights: timm:{tmp_path}\n"
        f"  expected: weights of {files.PE_MODEL}\n"
        "  fix:      set vision_encoder=timm and vision_encoder.model=resnet10t, or name other "
        "weights"
    )


def test_heads_that_no_shape_shows(tmp_path: Path) -> None:
    files.timm_directory(tmp_path, files.PE_MODEL, {**files.PE, "num_heads": 4})
    weights = f"timm:{tmp_path}"
    text = refused(vision_encoder={**PE_NATIVE, "weights": weights})
    assert "in the checkpoint num_heads is 4, not 2\n" in text
    timm_slot = {
        "type": "timm",
        "model": files.PE_MODEL,
        "image_size": 56,
        "model_args": {"embed_dim": 32, "depth": 2, "num_heads": 2},
    }
    text = refused(vision_encoder={**timm_slot, "weights": weights})
    assert "in the checkpoint blocks.0.attn.num_heads is 4, not 2;" in text


def test_a_plain_vit_is_no_perception_encoder(tmp_path: Path) -> None:
    file = tmp_path / "pe.safetensors"
    args = {"embed_dim": 32, "depth": 2, "num_heads": 2, "img_size": 56}
    files.timm_file(file, "vit_large_patch14_clip_224", args)
    assert refused(vision_encoder={**PE_NATIVE, "weights": f"timm:{file}"}) == (
        "This is a file of 33 tensors such as blocks.0.attn.proj.bias, with a final norm and no "
        "attention pooling: no Perception Encoder.\n"
        f"  where:    vision_encoder.weights: timm:{file}\n"
        "  expected: a Perception Encoder, with attention pooling or without a final norm\n"
        "  fix:      choose vision_encoder=timm and its model for this checkpoint"
    )


def test_a_part_that_reads_no_files_of_others(clip: Path) -> None:
    assert refused(projector={"type": "linear", "weights": f"hf:{clip}"}) == (
        "This is a clip checkpoint (CLIPModel), and projector/linear reads no files of others.\n"
        f"  where:    projector.weights: hf:{clip}\n"
        "  expected: plm:<directory>, the same part of a saved variant, or no weights of its own\n"
        "  fix:      delete projector.weights and say init='random', or choose another part"
    )


def test_the_kind_that_was_written_is_not_what_the_directory_is(tmp_path: Path, clip: Path) -> None:
    files.timm_directory(tmp_path, files.PE_MODEL, files.PE)
    expected = {
        "hf": 'a transformers directory, whose config.json names a "model_type"',
        "timm": 'a timm checkpoint, whose config.json, if there is one, names an "architecture"',
    }
    for kind, path, what, right in (
        ("hf", tmp_path, f"a timm checkpoint, of {files.PE_MODEL}", "timm"),
        ("timm", clip, "a transformers directory, of a clip", "hf"),
    ):
        assert refused(vision_encoder={**PE_NATIVE, "weights": f"{kind}:{path}"}) == (
            f"This is {what}.\n"
            f"  where:    vision_encoder.weights: {kind}:{path} ({path})\n"
            f"  expected: {expected[kind]}\n"
            f"  fix:      write {right}:{path}"
        )


def test_a_directory_of_transformers_that_is_no_perception_lm(clip: Path) -> None:
    assert refused(vision_encoder={**PE_NATIVE, "weights": f"plm:{clip}"}) == (
        "This is a clip checkpoint (CLIPModel), not a PerceptionLM.\n"
        f"  where:    vision_encoder.weights: plm:{clip} ({clip})\n"
        "  expected: a directory that Variant.save wrote, or a PerceptionLM of transformers\n"
        f"  fix:      write hf:{clip}"
    )


def test_a_directory_that_says_nothing_of_itself(tmp_path: Path) -> None:
    save_file({"a": torch.ones(1)}, tmp_path / "model.safetensors")
    assert refused(vision_encoder={**SIGLIP, "weights": f"hf:{tmp_path}"}) == (
        "There is no config.json, so nothing says what this is.\n"
        f"  where:    vision_encoder.weights: hf:{tmp_path} ({tmp_path})\n"
        '  expected: a transformers directory, whose config.json names a "model_type"\n'
        "  fix:      check the path"
    )


def test_no_such_directory(tmp_path: Path) -> None:
    place = tmp_path / "nothing"
    assert refused(vision_encoder={**SIGLIP, "weights": f"hf:{place}"}) == (
        "There is no such directory of weights.\n"
        f"  where:    vision_encoder.weights: hf:{place} ({place})\n"
        "  expected: a directory with config.json and safetensors, or the id of one on the hub\n"
        "  fix:      check the path; a relative one starts at the spec's file"
    )


def test_a_shard_that_is_missing(tmp_path: Path) -> None:
    files.llama(tmp_path, tied=False, rope=files.PLAIN_ROPE, shard="20KB")
    gone = sorted(tmp_path.glob("*.safetensors"))[1]
    gone.unlink()
    slot = {**native(f"hf:{tmp_path}"), "tie_embeddings": False}
    text = refused(decoder=slot)
    assert text.startswith("There is no weights file.\n")
    assert str(gone) in text


@pytest.mark.parametrize(
    "change",
    [
        {"num_attention_heads": 0},
        {"num_attention_heads": "four"},
        {"rope_parameters": "fast"},
        {"hidden_size": [32]},
    ],
)
def test_a_configuration_that_lies_is_one_clear_error(
    tmp_path: Path, change: dict[str, Any]
) -> None:
    files.llama(tmp_path, tied=True, rope=files.PLAIN_ROPE)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, **change, "head_dim": None}))
    text = refused(decoder=native(f"hf:{tmp_path}"))
    assert text.splitlines()[1] == f"  where:    decoder.weights: hf:{tmp_path}"


class TestInit:
    def test_parts_without_weights_are_said_aloud(self, siglip: Path) -> None:
        spec = tiny_spec(vision_encoder={**SIGLIP, "weights": f"hf:{siglip}"})
        with pytest.raises(UsageError) as caught:
            plm.assemble(spec)
        assert str(caught.value) == (
            "The spec names weights of vision_encoder, and none of projector, decoder.\n"
            "  where:    assemble, init\n"
            "  expected: init said aloud for parts without weights\n"
            "  fix:      say init='random' (--init random) for fresh ones, or name "
            "projector.weights, decoder.weights"
        )

    def test_without_memory_there_is_nothing_to_graft_into(self, siglip: Path) -> None:
        spec = tiny_spec(vision_encoder={**SIGLIP, "weights": f"hf:{siglip}"})
        with pytest.raises(UsageError) as caught:
            plm.assemble(spec, init="meta")
        assert str(caught.value) == (
            f"init='meta' contradicts vision_encoder.weights: hf:{siglip}.\n"
            "  where:    assemble, init\n"
            "  expected: one of the two\n"
            "  fix:      leave init out, or add the override vision_encoder.weights=null"
        )

    def test_where_every_part_has_weights_nothing_is_random(self) -> None:
        slots = ("vision_encoder", "projector", "decoder")
        overrides = ["weights=null", *(f"{slot}.weights=package:plm-tiny" for slot in slots)]
        assert plm.assemble("plm-tiny", overrides=overrides).receipt.fresh_parts == ()
        with pytest.raises(UsageError) as caught:
            plm.assemble("plm-tiny", overrides=overrides, init="random")
        assert caught.value.what == (
            "init='random' contradicts vision_encoder.weights: package:plm-tiny, "
            "projector.weights: package:plm-tiny, decoder.weights: package:plm-tiny."
        )


def test_a_graft_of_nothing(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        plm.graft("plm-tiny", tmp_path / "out", overrides=["weights=null"], init="random")
    assert str(caught.value) == (
        "No part of the spec names weights.\n"
        "  where:    plm-tiny\n"
        "  expected: one of: vision_encoder.weights, projector.weights, decoder.weights\n"
        "  fix:      add, say, vision_encoder.weights=hf:<directory>"
    )
    assert not (tmp_path / "out").exists()
