"""Hugging Face PerceptionLM directories: a configuration becomes a spec, files become tensors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from plm_components.checkpoints.hf_keys import TRUNK, hf_keys
from plm_components.checkpoints.hf_processor import media_slots, tokenizer_slot
from plm_components.checkpoints.hf_text import llama_spec
from plm_components.checkpoints.hf_tower import tower_spec
from plm_components.checkpoints.media_fit import fit_media
from plm_components.checkpoints.plm_sizes import PLMSizes
from plm_components.checkpoints.published import Published, stored_dtype
from plm_components.checkpoints.renamed import RenamedTensors
from plm_components.checkpoints.settings import Settings, read_settings
from plm_components.checkpoints.source import TensorSource
from plm_components.checkpoints.tensor_files import has_tensors, open_tensors
from plm_components.untrusted import shown

CONFIG_FILE = "config.json"
_TABLE, _HEAD = f"{TRUNK}embed_tokens.weight", "lm_head.weight"

_DTYPES = ("float32", "bfloat16", "float16", "float64")
_NO_MATTER = (
    "architectures", "transformers_version", "_name_or_path", "initializer_range", "use_cache",
    "bos_token_id", "eos_token_id", "pad_token_id", "is_encoder_decoder", "return_dict",
)  # fmt: skip


def read_hf(directory: Path, name: str) -> Published:
    """What a directory says of itself; no tensor is read.

    Args:
        directory: Where the files lie.
        name: How a spec names it: a path, or a hub id.

    Raises:
        CheckpointError: a file that cannot be read, or a value that cannot be right.
        UnsupportedError: something our parts cannot express, with the reason.
    """
    config = read_settings(directory / CONFIG_FILE)
    config.demand(
        "model_type", ("perception_lm",), why="plm.load reads PerceptionLM directories only"
    )
    text = config.section("text_config")
    encoder = tower_spec(
        config.section("vision_config"),
        uses_class_token=config.flag("vision_use_cls_token", True),
    )
    pool = config.count("projector_pooling_ratio", 1, most=1024)
    image = config.token_id("image_token_id", 128002)
    video = config.token_id("video_token_id", 128003)
    spec = {
        "plm": 1,
        "vision_encoder": encoder,
        "projector": {"type": "avg_pool_mlp", "pool": pool},
        "decoder": llama_spec(text, tied=_tied(config, text)),
        "tokenizer": tokenizer_slot(directory, name),
        **media_slots(directory, encoder, pool),
        # in this order: an export without a tokenizer has nothing else to tell them apart
        "media_token_ids": list(dict.fromkeys((image, video))),
        "weights": f"hf:{name}",
    }
    dtype = _dtype(config)
    notes: tuple[str, ...] = ()
    # sizes can be read of a configuration alone
    if dtype is None or has_tensors(directory):
        stored = open_tensors(directory, f"hf:{name}")
        dtype = dtype or stored_dtype(stored, _TABLE)
        notes = _keep_a_head_of_its_own(spec, stored)
    notes = (*notes, *_another_layout(spec))
    config.set_aside(*_NO_MATTER)
    notes = (*notes, *_left_aside({"": config, "text_config.": text}), *fit_media(spec))
    return Published(spec, dtype, notes)


def open_hf(directory: Path, origin: str, sizes: PLMSizes) -> RenamedTensors:
    """The tensors of a directory, under our names.

    Args:
        directory: With ``model.safetensors``, or an index and its files.
        origin: How to call it in messages.
        sizes: Of the model that wants them.
    """
    # a tied head is the embedding table once more, and transformers reads it from there too
    extras = (_HEAD,) if sizes.tied else ()
    return RenamedTensors(open_tensors(directory, origin), hf_keys(sizes), may_have=extras)


def _tied(config: Settings, text: Settings) -> bool:
    """The model's own word counts, its text part's where the model has none."""
    return config.flag("tie_word_embeddings", text.flag("tie_word_embeddings", False))


def _keep_a_head_of_its_own(spec: dict[str, Any], stored: TensorSource) -> tuple[str, ...]:
    """Unties a head that the files hold with other values, as transformers does; says so."""
    decoder = spec["decoder"]
    if not decoder["tie_embeddings"] or not {_TABLE, _HEAD} <= stored.shapes.keys():
        return ()
    found = dict(stored.read([_TABLE, _HEAD]))
    if torch.equal(found[_TABLE], found[_HEAD].to(found[_TABLE].dtype)):
        return ()
    decoder["tie_embeddings"] = False
    return (
        f"{CONFIG_FILE} ties the head to the embedding table, and the files hold another one: "
        "it is kept, as transformers does",
    )


def _another_layout(spec: dict[str, Any]) -> tuple[str, ...]:
    if spec["tokenizer"]["template"] == "plm_sft":
        return ()
    return ("conversations are laid out by the directory's own chat template, not PerceptionLM's",)


def _dtype(config: Settings) -> str | None:
    """What the whole model is in; its text part's own word decides nothing in transformers."""
    said = (config.raw("dtype"), config.raw("torch_dtype"))
    found = next((str(one).removeprefix("torch.") for one in said if one is not None), None)
    if found is not None and found not in _DTYPES:
        raise config.wrong("dtype", f"one of: {', '.join(_DTYPES)}")
    return found


def _left_aside(settings: Mapping[str, Settings]) -> tuple[str, ...]:
    keys: list[Any] = [f"{path}{key}" for path, one in settings.items() for key in one.unknown()]
    return (f"{CONFIG_FILE}: nothing here knows {shown(', '.join(keys), 500)}",) if keys else ()
