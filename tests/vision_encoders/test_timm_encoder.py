"""What is particular to timm: Perception Encoders, taps, arguments, and errors."""

from __future__ import annotations

import pytest
import timm
import torch

from plm_components.errors import ShapeError, SpecError, UnsupportedError
from plm_components.vision_encoders.timm import TimmVisionEncoder

_TINY = {"embed_dim": 32, "depth": 3, "num_heads": 2}


@pytest.mark.parametrize(
    ("model", "parameters", "tensors", "width"),
    [
        ("vit_pe_lang_large_patch14_448", 291_415_040, 327, 1024),
        ("vit_pe_lang_gigantic_patch14_448", 1_740_922_624, 662, 1536),
    ],
)
def test_perception_encoders_have_their_published_size(model, parameters, tensors, width):
    with torch.device("meta"):
        encoder = TimmVisionEncoder(model=model)
    assert sum(p.numel() for p in encoder.parameters()) == parameters
    assert len(encoder.state_dict()) == tensors
    assert (encoder.width, encoder.patch_size, encoder.image_size) == (width, 14, 448)
    assert encoder.mean == encoder.std == (0.5, 0.5, 0.5)
    assert encoder.grid(448, 448) == (32, 32)
    assert encoder.unused_parameters == ()
    held = [*encoder.parameters(), *encoder.buffers()]
    assert not [tensor for tensor in held if not tensor.is_meta]


@pytest.mark.parametrize(
    ("model", "offset"),
    [("vit_pe_lang_large_patch14_448", 1), ("vit_pe_lang_gigantic_patch14_448", 0)],
)
@pytest.mark.parametrize("size", [112, 448])
def test_rotary_positions_are_integers_at_any_native_size(model, offset, size):
    # the published formula: x before y, each frequency for two neighbouring channels
    encoder = TimmVisionEncoder(model=model, image_size=size, model_args=_TINY)
    side, head_dim = size // 14, 16
    position = torch.arange(side) + offset
    x, y = position.repeat(side), position.repeat_interleave(side)
    frequency = 10000.0 ** (-torch.arange(0, head_dim // 2, 2) / (head_dim // 2))
    angles = torch.cat([torch.outer(x, frequency), torch.outer(y, frequency)], dim=1)
    angles = angles.repeat_interleave(2, dim=1)
    table = encoder.backbone.rope.get_embed((side, side))
    torch.testing.assert_close(table, torch.cat([angles.sin(), angles.cos()], dim=1))


def test_a_reference_grid_that_is_given_is_kept():
    args = {**_TINY, "ref_feat_shape": [32, 32]}
    encoder = TimmVisionEncoder(image_size=112, model_args=args)
    assert encoder.backbone.rope.ref_feat_shape == (32, 32)


def test_other_families_keep_their_scaled_positions():
    encoder = TimmVisionEncoder(model="eva02_tiny_patch14_224", image_size=56, model_args=_TINY)
    assert encoder.backbone.rope.ref_feat_shape == (16, 16)


def test_rotary_tables_stay_in_float32():
    encoder = TimmVisionEncoder(image_size=112, model_args=_TINY).to(torch.bfloat16)
    assert encoder.backbone.rope.get_embed((8, 8)).dtype == torch.float32
    exact = TimmVisionEncoder(image_size=112, model_args=_TINY)
    rounded, table = encoder.backbone.rope.get_embed((8, 8)), exact.backbone.rope.get_embed((8, 8))
    assert torch.equal(rounded, table)


def test_pixels_over_at_the_native_size_are_dropped_as_published():
    encoder = TimmVisionEncoder(model="vit_so400m_patch14_siglip_384", model_args=_TINY)
    assert encoder.grid(384, 384) == (27, 27)
    assert encoder(torch.zeros(1, 3, 384, 384)).shape == (1, 729, 32)


def test_the_default_tile_is_the_models_own():
    with torch.device("meta"):
        encoder = TimmVisionEncoder(model="convnext_atto")
    assert (encoder.image_size, encoder.patch_size) == (224, 32)
    assert encoder.mean == pytest.approx((0.485, 0.456, 0.406))
    assert encoder.std == pytest.approx((0.229, 0.224, 0.225))


@pytest.mark.parametrize("layer", [0, 1, -2, -3])
def test_an_inner_block_is_taken_without_the_final_norm(layer):
    encoder = TimmVisionEncoder(
        model="vit_base_patch16_siglip_224", image_size=64, layer=layer, model_args=_TINY
    ).eval()
    oracle = timm.create_model(
        "vit_base_patch16_siglip_224", num_classes=0, global_pool="", img_size=64, **_TINY
    ).eval()
    given = oracle.load_state_dict(encoder.backbone.state_dict(), strict=False)
    pixels = torch.randn(2, 3, 64, 64)
    tokens = oracle.forward_intermediates(
        pixels, indices=[layer], intermediates_only=True, output_fmt="NLC"
    )[0]
    assert torch.equal(encoder(pixels), tokens)
    assert not given.unexpected_keys
    behind = {name for name in given.missing_keys if not name.startswith("norm.")}
    blocks = range(layer % 3 + 1, 3)
    assert {name.split(".")[1] for name in behind} == {str(block) for block in blocks}


def test_a_stage_of_a_convnet_is_taken():
    args = {"depths": [1, 1, 1, 1], "dims": [8, 16, 24, 32]}
    encoder = TimmVisionEncoder(model="convnext_atto", image_size=64, layer=-2, model_args=args)
    assert (encoder.width, encoder.patch_size, encoder.grid(64, 96)) == (24, 16, (4, 6))
    assert not [name for name in encoder.state_dict() if "stages.3" in name]
    pixels = torch.randn(1, 3, 64, 96)
    oracle = timm.create_model("convnext_atto", num_classes=0, **args)
    oracle.load_state_dict(encoder.backbone.state_dict(), strict=False)
    stage = oracle.forward_intermediates(pixels, indices=[2], intermediates_only=True)[0]
    assert torch.equal(encoder(pixels), stage.flatten(2).mT)


def test_the_last_layer_by_its_number_is_the_last_layer():
    encoder = TimmVisionEncoder(image_size=112, layer=2, model_args=_TINY)
    assert encoder.layer == -1


def test_heads_are_gone():
    encoder = TimmVisionEncoder(model="mobilenetv3_small_050", image_size=64)
    assert not [name for name in encoder.state_dict() if "head" in name or "classifier" in name]


def _text(error: pytest.ExceptionInfo[Exception]) -> str:
    return str(error.value)


def test_an_unknown_model_is_answered_with_near_ones():
    with pytest.raises(SpecError) as caught:
        TimmVisionEncoder(model="vit_pe_lang_larg_patch14_448")
    assert _text(caught).splitlines()[0] == (
        f"timm {timm.__version__} has no model 'vit_pe_lang_larg_patch14_448'."
    )
    assert "where:    vision_encoder/timm, option model" in _text(caught)
    assert "did you mean vit_pe_lang_large_patch14_448" in _text(caught)


@pytest.mark.parametrize("model", ["hf-hub:timm/resnet18", "local-dir:/tmp", "a/b", ""])
def test_a_model_that_would_have_to_be_fetched_is_unknown(model):
    with pytest.raises(SpecError, match="has no model"):
        TimmVisionEncoder(model=model)


@pytest.mark.parametrize("model", ["vit_pe_lang_large_patch14_448", "resnet18", "poolformer_s12"])
def test_a_misspelt_argument_is_named(model):
    with pytest.raises(SpecError) as caught:
        TimmVisionEncoder(model=model, model_args={"embed_dims_": 32})
    assert _text(caught) == (
        f"{model} takes no argument 'embed_dims_'.\n"
        "  where:    vision_encoder/timm, option model_args.embed_dims_\n"
        f"  expected: arguments that timm's {model} takes\n"
        "  fix:      delete model_args.embed_dims_, or correct its spelling"
    )


def test_a_value_that_makes_no_model_is_one_error():
    with pytest.raises(SpecError) as caught:
        TimmVisionEncoder(image_size=112, model_args={"embed_dim": 30, "depth": 1, "num_heads": 4})
    assert _text(caught).startswith("timm cannot build vit_pe_lang_large_patch14_448: ")
    assert "fix:      correct the argument that timm names" in _text(caught)


@pytest.mark.parametrize(
    ("key", "fix"),
    [
        ("img_size", "set the option image_size instead"),
        ("pretrained", "delete the key: weights are a key of the spec, never an option"),
        ("num_classes", "delete the key: heads are always removed"),
    ],
)
def test_what_the_encoder_decides_cannot_be_set(key, fix):
    with pytest.raises(SpecError) as caught:
        TimmVisionEncoder(model_args={key: 1})
    assert caught.value.what == f"model_args may not set {key}."
    assert caught.value.where == f"vision_encoder/timm, option model_args.{key}"
    assert caught.value.fix == fix


def test_a_null_argument_is_refused_since_timm_drops_it():
    with pytest.raises(SpecError) as caught:
        TimmVisionEncoder(image_size=112, model_args={**_TINY, "init_values": None})
    assert str(caught.value) == (
        "timm leaves out arguments that are null, and would keep its own init_values.\n"
        "  where:    vision_encoder/timm, option model_args.init_values\n"
        "  expected: a value\n"
        "  fix:      delete model_args.init_values, or set it to a value"
    )


@pytest.mark.parametrize("layer", [3, -4, 99])
def test_a_layer_that_is_not_there(layer):
    with pytest.raises(SpecError) as caught:
        TimmVisionEncoder(image_size=112, layer=layer, model_args=_TINY)
    assert _text(caught) == (
        f"layer is {layer}, and there are 3.\n"
        "  where:    vision_encoder/timm, option layer\n"
        "  expected: an integer from -3 to 2\n"
        "  fix:      set vision_encoder.layer=-1 for the last"
    )


@pytest.mark.parametrize("shape", [(3, 112, 112), (1, 1, 112, 112), (2, 112, 112, 3)])
def test_pixels_that_are_no_tiles(shape):
    encoder = TimmVisionEncoder(image_size=112, model_args=_TINY)
    with pytest.raises(ShapeError) as caught:
        encoder(torch.zeros(shape))
    assert _text(caught) == (
        f"Pixels of shape {shape} are not tiles.\n"
        "  where:    vision_encoder/timm, input of forward\n"
        "  expected: pixels of shape (B, 3, H, W)\n"
        "  fix:      stack the tiles or frames on the first axis, colours on the second"
    )


def test_a_side_that_is_no_multiple_of_the_patch():
    encoder = TimmVisionEncoder(image_size=112, model_args=_TINY)
    with pytest.raises(ShapeError) as caught:
        encoder.grid(112, 120)
    assert _text(caught) == (
        "A 112x120 tile has no token grid here.\n"
        "  where:    vision_encoder/timm (vit_pe_lang_large_patch14_448), "
        "tile of 112x120 pixels\n"
        "  expected: a size that timm's backbone takes "
        "(Input width (120) should be divisible by patch size (14).)\n"
        "  fix:      use tiles of 112x112, or set vision_encoder.image_size"
    )


def test_tables_that_shapes_do_not_show_have_one_size():
    with torch.device("meta"):
        encoder = TimmVisionEncoder(model="mvitv2_tiny", image_size=64)
    assert encoder.grid(64, 64) == (2, 2)
    with pytest.raises(ShapeError, match="relative positions have one size"):
        encoder.grid(64, 96)


def test_a_backbone_without_rows_and_columns_is_refused():
    with pytest.raises(UnsupportedError) as caught:
        TimmVisionEncoder(model="pit_ti_224", model_args={"depth": [1, 1, 1]})
    assert _text(caught) == (
        "timm's pit_ti_224 gives no token grid.\n"
        "  where:    vision_encoder/timm, option model\n"
        "  expected: a backbone whose features keep the image's rows and columns\n"
        "  fix:      choose another backbone"
    )
