"""Which checkpoints hold a timm backbone, and whether it is the backbone that was built."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import torch

from plm_components.contracts import CheckpointHeader, Reading, refusal

# what decides a backbone's outputs and no tensor's shape shows
_SHAPELESS = (
    "num_heads",
    "eps",
    "stride",
    "padding",
    "dilation",
    "groups",
    "window_size",
    "shift_size",
    "temperature",
    "grid_offset",
    "grid_indexing",
    "in_pixels",
    "ref_feat_shape",
)
# of no consequence in a model that only answers
_TRAINING_ONLY = ("Identity", "Dropout", "DropPath", "PatchDropout", "Sequential", "ModuleList")
_EXPECTED = (
    "a timm checkpoint (timm:<file or directory>), or a transformers directory that holds a timm "
    "tower: a perception_lm or a timm_wrapper"
)


def timm_tower(header: CheckpointHeader) -> tuple[str, Mapping[str, Any]]:
    """Where a checkpoint keeps timm's names, and what it says of the backbone.

    Returns:
        The prefix of the names, and ``architecture`` and ``model_args``; empty for a bare file.

    Raises:
        CheckpointError: there is no timm backbone in it.
    """
    if header.kind == "timm":
        return "", header.config
    if header.model_type == "perception_lm":
        return "model.vision_tower.timm_model.", _wrapped(header.config.get("vision_config"))
    if header.model_type == "timm_wrapper":
        return "timm_model.", _wrapped(header.config)
    raise refusal(
        f"This is {header}, in which there is no timm backbone.",
        expected=_EXPECTED,
        fix="name weights of a timm backbone, or choose vision_encoder=hf for this checkpoint",
    )


def _wrapped(config: Any) -> Mapping[str, Any]:
    return config if isinstance(config, Mapping) else {}


def base_name(architecture: str) -> str:
    """Without the tag of its pretraining: ``vit_pe_lang_large_patch14_448``."""
    return architecture.partition(".")[0]


def backbone_of(config: Mapping[str, Any]) -> Any:
    """The whole backbone a checkpoint was saved from, heads included, on the meta device.

    Raises:
        CheckpointError: this timm knows no such architecture, or refuses its arguments.
    """
    # here: it brings torch's compiler along, more than a second that loading a pe needs not
    import timm

    architecture, args = str(config["architecture"]), config.get("model_args") or {}
    try:
        with torch.device("meta"):
            return timm.create_model(architecture, **{k: _as_tuple(v) for k, v in args.items()})
    except Exception as error:
        raise refusal(
            f"timm {timm.__version__} cannot build the {architecture} this is said to be: {error}",
            expected="an architecture that timm.list_models() lists, and arguments it takes",
            fix="check config.json of the checkpoint, or install a timm that knows it",
        ) from error


def _as_tuple(value: Any) -> Any:
    return tuple(_as_tuple(item) for item in value) if isinstance(value, list) else value


def is_pe(architecture: str) -> bool:
    """Whether timm's name is that of a Perception Encoder."""
    return base_name(architecture).startswith("vit_pe_")


def refuse_other_architecture(header: CheckpointHeader, config: Any, model: str) -> None:
    """Refuses a checkpoint that says it is of another architecture than ``model``.

    A PerceptionLM calls its PE-Lang tower a PE-Core with other arguments, so Perception Encoders
    are told apart by what they are built of (:func:`structure`).
    """
    found = base_name(str(config.get("architecture") or ""))
    if not found or found == base_name(model) or (is_pe(found) and is_pe(model)):
        return
    raise refusal(
        f"This is {header}; its backbone is a {found}, not a {base_name(model)}.",
        expected=f"weights of {base_name(model)}",
        fix=f"set vision_encoder=timm and vision_encoder.model={found}, or name other weights",
    )


def structure(backbone: Any) -> dict[str, Any]:
    """What a timm backbone is built of, where tensors do not show it: types and settings."""
    found: dict[str, Any] = {}
    for name, module in backbone.named_modules():
        kind = type(module).__name__
        if name and kind not in _TRAINING_ONLY:
            found[name] = kind
            found |= {
                f"{name}.{setting}": _plain(value)
                for setting, value in vars(module).items()
                if setting in _SHAPELESS
            }
    return found


def _plain(value: Any) -> Any:
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def reading_of(
    header: CheckpointHeader,
    prefix: str,
    names: Mapping[str, str],
    others: Collection[str],
    *,
    may_be_absent: Collection[str] = (),
) -> Reading:
    """The map of an encoder whose tensors have timm's names behind a prefix.

    Args:
        header: Of the checkpoint.
        prefix: Before timm's names, in the checkpoint.
        names: The encoder's name -> timm's.
        others: Timm's names of what the whole backbone has and the encoder left out.
        may_be_absent: Names of the encoder that no output depends on.
    """
    beside = [name for name in header.shapes if prefix and not name.startswith(prefix)]
    return Reading(
        f"the vision tower of {header}" if prefix else str(header),
        {ours: f"{prefix}{theirs}" for ours, theirs in names.items()},
        passed_over={*beside, *(f"{prefix}{name}" for name in others)},
        may_be_absent=may_be_absent,
    )
