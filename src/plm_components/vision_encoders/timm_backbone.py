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
# "argument 'x'" as Python says it, "argument(s): ['x']" as some of timm's models do
_UNEXPECTED = re.compile(r"unexpected keyword argument(?:\(s\): \[| )'([^']+)'")

# few models cannot do without their head; it never runs, so it is removed afterwards
_HEADLESS: tuple[dict[str, Any], ...] = (
    {"num_classes": 0, "global_pool": ""},
    {"num_classes": 0},
    {},
)


def create_backbone(
    model: str, image_size: int | None, model_args: Mapping[str, Any] | None
) -> nn.Module:
    """A timm model with random weights, no head, and grids of any shape where it can.

    Raises:
        SpecError: timm knows no such model, cannot build it so, or would drop an argument.
    """
    _require_known(model)
    asked = {key: _as_tuple(value) for key, value in (model_args or {}).items()}
    _refuse_decided(asked)
    _refuse_null(asked)
    offered: dict[str, Any] = {"dynamic_img_size": True}
    if image_size is not None:
        offered["img_size"] = image_size
    first: Exception | None = None
    for headless in _HEADLESS:
        try:
            return _created(model, {**offered, **headless, **asked}, optional={*offered, *headless})
        except Exception as error:
            first = first or error
    raise _cannot_build(model, asked, first) from first


def _created(model: str, arguments: dict[str, Any], optional: set[str]) -> nn.Module:
    """The model, without the optional arguments that it does not know."""
    while True:
        try:
            backbone = timm.create_model(model, **arguments)
        except TypeError as error:
            key = _unexpected_key(error)
            if key not in optional.intersection(arguments):
                raise
            del arguments[key]
            continue
        if "dynamic_img_size" in arguments and _drops_a_border(backbone):
            del arguments["dynamic_img_size"]
            continue
        return cast(nn.Module, backbone)


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


def _refuse_null(asked: Mapping[str, Any]) -> None:
    for key, value in asked.items():
        if value is None:
            raise bad_option(
                f"timm leaves out arguments that are null, and would keep its own {key}.",
                where=ADDRESS,
                option=f"model_args.{key}",
                expected="a value",
                fix=f"delete model_args.{key}, or set it to a value",
            )


def _drops_a_border(backbone: Any) -> bool:
    # 384 / 14 leaves pixels over, which timm allows at the native size of a fixed grid alone
    patch_embed: Any = getattr(backbone, "patch_embed", None)
    sizes = getattr(patch_embed, "img_size", None) or ()
    return any(side % patch for side, patch in zip(sizes, patch_embed.patch_size, strict=True))


def _unexpected_key(error: Exception | None) -> str | None:
    found = _UNEXPECTED.search(str(error))
    return found.group(1) if found else None


def _cannot_build(model: str, asked: Mapping[str, Any], error: Exception | None) -> SpecError:
    key = _unexpected_key(error)
    if key in asked:
        return bad_option(
            f"{model} takes no argument {key!r}.",
            where=ADDRESS,
            option=f"model_args.{key}",
            expected=f"arguments that timm's {model} takes",
            fix=f"delete model_args.{key}, or correct its spelling",
        )
    return bad_option(
        f"timm cannot build {model}: {str(error) or type(error).__name__}",
        where=ADDRESS,
        option="model_args",
        expected="arguments that make a model",
        fix="correct the argument that timm names",
    )


def _as_tuple(value: Any) -> Any:
    # YAML has no tuples, and timm compares some of its arguments with tuples
    return tuple(_as_tuple(item) for item in value) if isinstance(value, list) else value
