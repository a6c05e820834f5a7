"""What is particular to transformers: configurations, taps, normalisation, and errors."""

from __future__ import annotations

import json

import pytest
import torch
import transformers

from plm_components.errors import ShapeError, SpecError, UnsupportedError
from plm_components.vision_encoders.hf import HFVisionEncoder

_VIT = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "image_size": 32,
    "patch_size": 8,
}
_SIGLIP = {"model_type": "siglip_vision_model", **_VIT}
_CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)


@pytest.mark.parametrize(
    ("model_type", "oracle"),
    [
        ("siglip_vision_model", transformers.SiglipVisionModel),
        ("clip_vision_model", transformers.CLIPVisionModel),
        ("dinov3_vit", transformers.DINOv3ViTModel),
    ],
)
@pytest.mark.parametrize("layer", [0, -2])
def test_an_inner_block_is_a_hidden_state(model_type, oracle, layer):
    config = {"model_type": model_type, **_VIT}
    encoder = HFVisionEncoder(config=config, layer=layer).eval()
    whole = oracle(oracle.config_class(**_VIT)).eval()
    loaded = whole.load_state_dict(encoder.backbone.state_dict(), strict=False)
    assert not loaded.unexpected_keys
    assert [key for key in loaded.missing_keys if "layers.2." in key or "layer.2." in key]
    pixels = torch.randn(2, 3, 32, 32)
    # hidden_states begins with the embeddings
    hidden = whole(pixels, output_hidden_states=True).hidden_states[range(3)[layer] + 1]
    assert torch.equal(encoder(pixels), hidden[:, hidden.shape[1] - 16 :])


def test_the_last_layer_by_its_number_is_the_last_layer():
    assert HFVisionEncoder(config=_SIGLIP, layer=2).layer == -1


@pytest.mark.parametrize("model_type", ["siglip", "clip"])
def test_the_vision_tower_of_two_is_taken(model_type):
    encoder = HFVisionEncoder(config={"model_type": model_type, "vision_config": _VIT})
    alone = HFVisionEncoder(config={"model_type": f"{model_type}_vision_model", **_VIT})
    assert encoder.state_dict().keys() == alone.state_dict().keys()


def test_heads_are_gone():
    siglip = HFVisionEncoder(config=_SIGLIP).state_dict()
    clip = HFVisionEncoder(config={"model_type": "clip_vision_model", **_VIT}).state_dict()
    assert not [name for name in siglip if "head" in name]
    assert not [name for name in clip if "post_layernorm" in name]


def test_rotary_frequencies_survive_a_cast():
    config = {"model_type": "dinov3_vit", **_VIT}
    encoder = HFVisionEncoder(config=config)
    before = encoder.backbone.rope_embeddings.inv_freq.clone()
    after = encoder.to(torch.bfloat16).backbone.rope_embeddings.inv_freq
    assert after.dtype == torch.float32
    assert torch.equal(after, before)


def test_a_size_between_patches_is_refused_with_its_reason():
    with pytest.raises(ShapeError) as caught:
        HFVisionEncoder(config=_SIGLIP).grid(32, 36)
    assert str(caught.value) == (
        "A 32x36 tile has no token grid here.\n"
        "  where:    vision_encoder/hf (siglip_vision_model), tile of 32x36 pixels\n"
        "  expected: sides that are multiples of patch_size=8\n"
        "  fix:      use tiles of 32x32"
    )


def test_an_empty_side_is_refused():
    with pytest.raises(ShapeError, match="A 0x32 tile has no token grid here"):
        HFVisionEncoder(config=_SIGLIP).grid(0, 32)


def test_normalisation_is_the_familys_own_without_files():
    encoder = HFVisionEncoder(config={"model_type": "clip_vision_model", **_VIT})
    assert encoder.mean == _CLIP_MEAN
    assert encoder.normalisation_from == "published values of clip_vision_model"


@pytest.mark.parametrize("stored", [True, False])
def test_a_local_directory(tmp_path, stored):
    transformers.SiglipVisionConfig(**_VIT).save_pretrained(tmp_path)
    if stored:
        values = {"image_mean": [0.1, 0.2, 0.3], "image_std": [0.4, 0.5, 0.6]}
        (tmp_path / "preprocessor_config.json").write_text(json.dumps(values))
    encoder = HFVisionEncoder(path=str(tmp_path))
    assert encoder.grid(32, 32) == (4, 4)
    if stored:
        assert (encoder.mean, encoder.std) == ((0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
        assert encoder.normalisation_from == f"files of {tmp_path}"
    else:
        assert encoder.mean == (0.5, 0.5, 0.5)
        assert encoder.normalisation_from == "published values of siglip_vision_model"


def test_code_in_a_directory_is_never_run(tmp_path):
    config = {"model_type": "odd", "auto_map": {"AutoConfig": "odd.OddConfig"}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "odd.py").write_text("raise SystemExit('ran')")
    with pytest.raises(SpecError) as caught:
        HFVisionEncoder(path=str(tmp_path))
    assert caught.value.what.startswith(f"No configuration can be read from {tmp_path}: ")


def test_a_directory_without_a_configuration(tmp_path):
    with pytest.raises(SpecError) as caught:
        HFVisionEncoder(path=str(tmp_path))
    assert caught.value.where == "vision_encoder/hf, option path"
    assert caught.value.fix == "correct the path, or give the configuration inline as config"


@pytest.mark.parametrize("options", [{}, {"path": "x", "config": _SIGLIP}])
def test_exactly_one_source(options):
    with pytest.raises(SpecError) as caught:
        HFVisionEncoder(**options)
    assert str(caught.value) == (
        "A transformers tower needs a path or a config, and not both.\n"
        "  where:    vision_encoder/hf, option path or config\n"
        "  expected: exactly one of them\n"
        "  fix:      set vision_encoder.path or vision_encoder.config"
    )


def test_naflex_is_refused_with_the_reason():
    with pytest.raises(UnsupportedError) as caught:
        HFVisionEncoder(config={"model_type": "siglip2_vision_model"})
    assert str(caught.value) == (
        "'siglip2_vision_model' is the NaFlex SigLIP 2, which takes flattened patches, not tiles.\n"
        "  where:    vision_encoder/hf, option config.model_type\n"
        "  expected: a fixed-resolution SigLIP 2, whose model_type is siglip\n"
        "  fix:      choose a checkpoint with its resolution in its name, "
        "say siglip2-so400m-patch14-384"
    )


@pytest.mark.parametrize("model_type", ["bert", None, "nothing"])
def test_another_family_is_refused(model_type):
    with pytest.raises(UnsupportedError) as caught:
        HFVisionEncoder(config={"model_type": model_type})
    assert caught.value.what == f"{model_type!r} is no vision tower that this encoder knows."
    assert "dinov3_vit, siglip, siglip_vision_model" in caught.value.expected


def test_a_misspelt_key_is_named():
    with pytest.raises(SpecError) as caught:
        HFVisionEncoder(config={**_SIGLIP, "hiden_size": 32})
    assert str(caught.value) == (
        "A siglip_vision_model configuration has no key 'hiden_size'.\n"
        "  where:    vision_encoder/hf, option config.hiden_size\n"
        "  expected: keys of SiglipVisionConfig\n"
        "  fix:      did you mean hidden_size?"
    )


def test_a_value_of_another_type_is_one_error():
    with pytest.raises(SpecError) as caught:
        HFVisionEncoder(config={**_SIGLIP, "hidden_size": "wide"})
    assert "Field 'hidden_size' expected int, got str" in caught.value.what


def test_a_configuration_that_makes_no_model():
    with pytest.raises(SpecError, match="transformers cannot build this: "):
        HFVisionEncoder(config={**_SIGLIP, "num_attention_heads": 5})


def test_a_tile_has_one_side():
    with pytest.raises(SpecError, match=r"image_size is \[32, 64\], which is no square tile"):
        HFVisionEncoder(config={"model_type": "dinov2", "image_size": [32, 64]})
