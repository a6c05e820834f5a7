"""Builds a timm backbone without its head, and says in one error why it cannot."""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, cast

import timm
from torch import nn

from plm_components.errors import SpecError
from plm_components.vision_encoders.pixels import bad_option

ADDRESS = "vision_encoder/timm"

# what the encoder itself decides; a spec that sets one of these would change the contract
_DECIDED = {
    "img_size": "set the option image_size instead",
    "num_classes": "delete the key: heads are always removed",
    "global_pool": "delete the key: tokens are never pooled here",
    "in_chans": "delete the key: pixels have three channels",
    "pretrained": "delete the key: weights are a key of the spec, never an option",
    "pretrained_cfg": "delete the key",
    "pretrained_cfg_overlay": "delete the key",
    "checkpoint_path": "delete the key: weights are a key of the spec, never an option",
    "features_only": "set the option layer instead",
    "device": "delete the key: the assembler chooses the device",
    "dtype": "delete the key: the assembler chooses the dtype",
}
_UNEXPECTED = re.compile(r"unexpected keyword argument '([^']+)'")


def create_backbone(
    model: str, image_size: int | None, model_args: Mapping[str, Any] | None
) -> nn.Module:
    """A timm model with random weights, no head, and grids of any shape where it can.

    Raises:
        SpecError: timm knows no such model, or cannot build it from these arguments.
    """
    _require_known(model)
    asked = {key: _as_tuple(value) for key, value in (model_args or {}).items()}
    _refuse_decided(asked)
    # arguments that help where a backbone has them and are dropped where it has none
    offered: dict[str, Any] = {"dynamic_img_size": True}
    if image_size is not None:
        offered["img_size"] = image_size
    offered = {key: value for key, value in offered.items() if key not in asked}
    while True:
        try:
            backbone = timm.create_model(model, num_classes=0, global_pool="", **offered, **asked)
            if "dynamic_img_size" not in offered or not _drops_a_border(backbone):
                return cast(nn.Module, backbone)
            del offered["dynamic_img_size"]
        except TypeError as error:
            key = _unexpected_key(error)
            if key not in offered:
                raise _cannot_build(model, asked, key, error) from error
            del offered[key]
        except Exception as error:
            raise _cannot_build(model, asked, None, error) from error


def _require_known(model: str) -> None:
    if timm.is_model(model.partition(".")[0]) and ":" not in model and "/" not in model:
        return
    near = get_close_matches(model, timm.list_models(), n=3, cutoff=0.6)
    raise bad_option(
        f"timm {timm.__version__} has no model {model!r}.",
        where=ADDRESS,
        option="model",
        expected="a name that timm.list_models() lists",
        fix=f"did you mean {' or '.join(near)}?" if near else "choose one of them",
    )


def _refuse_decided(asked: Mapping[str, Any]) -> None:
    for key in asked:
        if key in _DECIDED:
            raise bad_option(
                f"model_args may not set {key}.",
                where=ADDRESS,
                option=f"model_args.{key}",
                expected="arguments that this encoder does not decide itself",
                fix=_DECIDED[key],
            )


def _drops_a_border(backbone: Any) -> bool:
    # 384 / 14 leaves pixels over, which timm allows at the native size of a fixed grid alone
    patch_embed: Any = getattr(backbone, "patch_embed", None)
    sizes = getattr(patch_embed, "img_size", None) or ()
    return any(side % patch for side, patch in zip(sizes, patch_embed.patch_size, strict=True))


def _unexpected_key(error: TypeError) -> str | None:
    found = _UNEXPECTED.search(str(error))
    return found.group(1) if found else None


def _cannot_build(
    model: str, asked: Mapping[str, Any], key: str | None, error: Exception
) -> SpecError:
    if key in asked:
        return bad_option(
            f"{model} takes no argument {key!r}.",
            where=ADDRESS,
            option=f"model_args.{key}",
            expected=f"arguments that timm's {model} takes",
            fix=f"delete model_args.{key}, or correct its spelling",
        )
    return bad_option(
        f"timm cannot build {model}: {error or type(error).__name__}",
        where=ADDRESS,
        option="model_args",
        expected="arguments that make a model",
        fix="correct the argument that timm names",
    )


def _as_tuple(value: Any) -> Any:
    # YAML has no tuples, and timm compares some of its arguments with tuples
    return tuple(_as_tuple(item) for item in value) if isinstance(value, list) else value
