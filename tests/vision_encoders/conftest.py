"""Small backbones with random weights, and the same backbone as its own library runs it."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import pytest
import timm
import torch
import transformers
from torch import Tensor, nn

from plm_components.vision_encoders.hf import HFVisionEncoder
from plm_components.vision_encoders.timm import TimmVisionEncoder

_VIT = {"embed_dim": 32, "depth": 2, "num_heads": 2}
_HF_VIT = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "image_size": 32,
    "patch_size": 8,
}
_DINOV2 = {**{k: v for k, v in _HF_VIT.items() if k != "intermediate_size"}, "mlp_ratio": 2}


@dataclass(frozen=True)
class Case:
    """One backbone.

    Args:
        name: Of the test.
        options: Of our encoder.
        size: Native side of a tile.
        grid: Native grid side.
        layout: ``NCHW``, ``NHWC``, or the number of prefix tokens of a sequence.
        other: Another size and its grid, or the reason for a refusal.
        oracle: For timm, further arguments of ``timm.create_model``; for transformers, the class.
        unused: Parameters that get no gradient and stay.
    """

    name: str
    options: dict[str, Any]
    size: int
    grid: int
    layout: str | int
    other: tuple[tuple[int, int], tuple[int, int]] | tuple[tuple[int, int], str]
    oracle: Any = field(default_factory=dict)
    unused: tuple[str, ...] = ()

    @property
    def is_timm(self) -> bool:
        return "model" in self.options

    def build(self, **more: Any) -> Any:
        made = TimmVisionEncoder if self.is_timm else HFVisionEncoder
        return made(**self.options, **more)

    def library_features(self, backbone: nn.Module, pixels: Tensor) -> Tensor:
        """Row-major tokens by the library alone, with the weights of ``backbone``."""
        oracle = self._library_model(native=pixels.shape[2:] == (self.size, self.size))
        given = backbone.state_dict()
        missing = oracle.load_state_dict(given, strict=False)
        assert not missing.unexpected_keys
        assert all(key.startswith(_HEADS) for key in missing.missing_keys)
        oracle.train(backbone.training)
        if self.is_timm:
            return self._row_major(oracle.forward_features(pixels))
        interpolates = isinstance(
            oracle, transformers.SiglipVisionModel | transformers.CLIPVisionModel
        )
        options = {"interpolate_pos_encoding": True} if interpolates else {}
        return self._row_major(oracle(pixels, **options).last_hidden_state)

    def _library_model(self, *, native: bool) -> nn.Module:
        if self.is_timm:
            arguments = {**self.options["model_args"], **self.oracle}
            if native:  # the backbone as anyone builds it, with its tables made once
                arguments.pop("dynamic_img_size", None)
            model: nn.Module = timm.create_model(
                self.options["model"], num_classes=0, global_pool="", **arguments
            )
            return model
        config = {k: v for k, v in self.options["config"].items() if k != "model_type"}
        built: nn.Module = self.oracle(self.oracle.config_class(**config))
        return built

    def _row_major(self, features: Tensor) -> Tensor:
        if self.layout == "NCHW":
            return features.permute(0, 2, 3, 1).flatten(1, 2)
        if self.layout == "NHWC":
            return features.flatten(1, 2)
        return features[:, self.layout :]


def _timm(name: str, model: str, size: int, args: dict[str, Any], **rest: Any) -> Case:
    options = {"model": model, "image_size": size, "model_args": args}
    return Case(f"timm-{name}", options, size, **rest)


def _hf(name: str, model_type: str, args: dict[str, Any], oracle: Any, **rest: Any) -> Case:
    options = {"config": {"model_type": model_type, **args}}
    return Case(f"hf-{name}", options, args["image_size"], oracle=oracle, **rest)


# what the library has and the encoder does without
_HEADS = ("head.", "post_layernorm.", "conv_head.", "norm_head.")

_WIDER_56 = ((56, 84), (4, 6))
_WIDER_64 = ((64, 96), (4, 6))
_WIDER_32 = ((32, 48), (4, 6))
_DYNAMIC = {"dynamic_img_size": True}
_MASK_TOKEN = ("backbone.embeddings.mask_token",)

CASES = [
    _timm("pe_lang_class_token", "vit_pe_lang_large_patch14_448", 56, _VIT, grid=4, layout=1,
          other=_WIDER_56, oracle={"img_size": 56, "ref_feat_shape": (4, 4), **_DYNAMIC}),
    _timm("pe_lang_no_class_token", "vit_pe_lang_gigantic_patch14_448", 56, _VIT, grid=4, layout=0,
          other=_WIDER_56, oracle={"img_size": 56, "ref_feat_shape": (4, 4), **_DYNAMIC}),
    _timm("vit_registers", "vit_small_patch14_reg4_dinov2", 56, _VIT, grid=4, layout=5,
          other=_WIDER_56, oracle={"img_size": 56, **_DYNAMIC}),
    _timm("siglip", "vit_base_patch16_siglip_224", 64, _VIT, grid=4, layout=0,
          other=_WIDER_64, oracle={"img_size": 64, **_DYNAMIC}),
    _timm("eva02", "eva02_tiny_patch14_224", 56, _VIT, grid=4, layout=1,
          other=_WIDER_56, oracle={"img_size": 56, **_DYNAMIC}),
    _timm("dinov3", "vit_small_patch16_dinov3", 64, _VIT, grid=4, layout=5,
          other=_WIDER_64, oracle={"img_size": 64, **_DYNAMIC}),
    _timm("beit", "beit_base_patch16_224", 64, _VIT, grid=4, layout=1,
          other=((64, 96), "Input width (96) doesn't match model (64)."), oracle={"img_size": 64}),
    _timm("convnext", "convnext_atto", 64, {"depths": [1, 1, 1, 1], "dims": [8, 16, 24, 32]},
          grid=2, layout="NCHW", other=((64, 160), (2, 5))),
    _timm("resnet", "resnet18", 64, {"layers": [1, 1, 1, 1], "channels": [8, 16, 24, 32]},
          grid=2, layout="NCHW", other=((64, 150), (2, 5))),
    _timm("mobilenet", "mobilenetv3_small_050", 64, {}, grid=2, layout="NCHW",
          other=((96, 64), (3, 2))),
    _timm("swin", "swin_tiny_patch4_window7_224", 64,
          {"embed_dim": 8, "depths": [1, 2, 1], "num_heads": [1, 2, 2], "window_size": 4},
          grid=4, layout="NHWC", other=_WIDER_64, oracle={"img_size": 64, **_DYNAMIC}),
    _hf("siglip", "siglip_vision_model", _HF_VIT, transformers.SiglipVisionModel, grid=4,
        layout=0, other=_WIDER_32),
    _hf("siglip_border", "siglip_vision_model", {**_HF_VIT, "image_size": 30},
        transformers.SiglipVisionModel, grid=3, layout=0,
        other=((30, 40), "sides that are multiples of patch_size=8")),
    _hf("clip", "clip_vision_model", _HF_VIT, transformers.CLIPVisionModel, grid=4, layout=1,
        other=_WIDER_32),
    _hf("dinov2", "dinov2", _DINOV2, transformers.Dinov2Model, grid=4, layout=1,
        other=_WIDER_32, unused=_MASK_TOKEN),
    _hf("dinov2_with_registers", "dinov2_with_registers", {**_DINOV2, "num_register_tokens": 3},
        transformers.Dinov2WithRegistersModel, grid=4, layout=4, other=_WIDER_32,
        unused=_MASK_TOKEN),
    _hf("dinov3_vit", "dinov3_vit", {**_HF_VIT, "num_register_tokens": 2},
        transformers.DINOv3ViTModel, grid=4, layout=3, other=_WIDER_32, unused=_MASK_TOKEN),
    _hf("dinov3_convnext", "dinov3_convnext",
        {"hidden_sizes": [8, 16, 24, 32], "depths": [1, 1, 1, 1], "image_size": 64},
        transformers.DINOv3ConvNextModel, grid=2, layout=1, other=((64, 160), (2, 5))),
]  # fmt: skip


@pytest.fixture(params=CASES, ids=lambda case: case.name)
def case(request: pytest.FixtureRequest) -> Case:
    return request.param


@cache
def _built(index: int) -> Any:
    encoder = CASES[index].build().eval()
    encoder.init_weights(torch.Generator().manual_seed(0))
    return encoder


@pytest.fixture
def encoder(case: Case) -> Any:
    """Random weights, in evaluation mode; a copy, so that a test may do what it likes."""
    return deepcopy(_built(CASES.index(case)))


@pytest.fixture
def tiles() -> Callable[..., Tensor]:
    """Random pixels, the same at every call."""

    def draw(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
        return torch.randn(*shape, generator=torch.Generator().manual_seed(1)).to(dtype)

    return draw
