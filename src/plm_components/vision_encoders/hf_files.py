"""Which directories of transformers hold a vision tower, and whether it is the one built."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from transformers import AutoConfig, AutoModel
from transformers.core_model_loading import revert_weight_conversion

from plm_components.contracts import CheckpointHeader, Reading, refusal, refuse_differing
from plm_components.vision_encoders.hf_families import TWO_TOWERS

# keys of a configuration that change no token of the tower
_NO_MATTER = frozenset(
    {
        "_name_or_path",
        "apply_layernorm",
        "architectures",
        "attention_dropout",
        "attention_probs_dropout_prob",
        "chunk_size_feed_forward",
        "drop_path_rate",
        "dtype",
        "hidden_dropout_prob",
        "id2label",
        "initializer_factor",
        "initializer_range",
        "label2id",
        "output_attentions",
        "output_hidden_states",
        "out_features",
        "out_indices",
        "pos_embed_jitter",
        "pos_embed_rescale",
        "pos_embed_shift",
        "problem_type",
        "projection_dim",
        "reshape_hidden_states",
        "return_dict",
        "stage_names",
        "torch_dtype",
        "transformers_version",
        "use_mask_token",
        "vision_use_head",
    }
)
# the other tower, and what joins the two; buffers that old files hold
_BESIDE = ("text_model.", "text_projection.", "visual_projection.", "logit_scale", "logit_bias")
_BEHIND = ("classifier.",)
_OLD_BUFFERS = ("embeddings.position_ids",)


def read_tower(backbone: Any, config: Any, header: CheckpointHeader) -> Reading:
    """The map of a ``vision_encoder/hf``.

    Args:
        backbone: The tower, without its heads, on the meta device.
        config: Its configuration.
        header: Of the checkpoint.

    Raises:
        CheckpointError: another kind of tower, or one of other sizes.
    """
    found = _tower_config(header)
    if found.get("model_type") != config.model_type:
        raise _other_tower(header, config.model_type)
    theirs = AutoConfig.for_model(config.model_type, **_without(found, "model_type"))
    refuse_differing(
        theirs.to_dict(), config.to_dict(), options="vision_encoder.config", ignored=_NO_MATTER
    )
    whole = _written_names(_whole_tower(theirs))
    names = _written_names(backbone)
    prefix = _prefix(names.values(), header)
    known = {f"{prefix}{name}" for name in [*whole.values(), *_OLD_BUFFERS]}
    beside = {name for name in header.shapes if name.startswith((*_BESIDE, *_BEHIND))}
    taken = {f"backbone.{name}": f"{prefix}{written}" for name, written in names.items()}
    return Reading(
        f"the vision tower of {header}" if header.model_type in TWO_TOWERS else str(header),
        taken,
        passed_over=(known | beside) - set(taken.values()),
    )


def _tower_config(header: CheckpointHeader) -> Mapping[str, Any]:
    if header.kind != "hf" or header.model_type not in TWO_TOWERS:
        return header.config
    vision = header.config.get("vision_config")
    inner = vision if isinstance(vision, Mapping) else {}
    return {**inner, "model_type": TWO_TOWERS[header.model_type]}


def _without(config: Mapping[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in config.items() if name != key}


def _other_tower(header: CheckpointHeader, wanted: str) -> Exception:
    return refusal(
        f"This is {header}, not a {wanted}.",
        expected=f"a checkpoint with a {wanted} tower",
        fix=f"name weights of a {wanted}, or give vision_encoder.config the tower of this one",
    )


def _written_names(model: Any) -> dict[str, str]:
    """Our names of a model's tensors -> those transformers writes, which it renames when it reads.

    A tensor that it would also convert keeps its name, and will be found missing.
    """
    tensors: dict[str, Any] = dict(model.state_dict(keep_vars=True))
    reverted: dict[str, Any] = revert_weight_conversion(model, dict(tensors))
    written = {id(tensor): name for name, tensor in reverted.items()}
    return {name: written.get(id(tensor), str(name)) for name, tensor in tensors.items()}


def _prefix(names: Iterable[str], header: CheckpointHeader) -> str:
    """How the tower was written: alone, inside two or by an older version, or below a head.

    The one under which the checkpoint has most of the names: all, unless it is broken.
    """
    written = list(names)
    prefixes = ("", "vision_model.", f"{header.model_type}.")
    return max(prefixes, key=lambda p: sum(f"{p}{name}" in header.shapes for name in written))


def _whole_tower(config: Any) -> Any:
    """The tower as published, its heads and all its layers, on the meta device."""
    with torch.device("meta"):
        return AutoModel.from_config(config, trust_remote_code=False)
