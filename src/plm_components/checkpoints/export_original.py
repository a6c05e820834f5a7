"""A variant as an original directory: params.json, consolidated.pth, tokenizer.model."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from plm_components.checkpoints.hf_inputs import as_json
from plm_components.checkpoints.inexpressible import ExportFormat
from plm_components.checkpoints.original_keys import original_changes, original_keys
from plm_components.checkpoints.plm_facts import (
    PLMFacts,
    ffn_rule,
    max_frames_of,
    part_of,
    plm_facts,
    vision_input,
)
from plm_components.contracts import CarriesFiles
from plm_components.spec import SpecTree

PARAMS_FILE = "params.json"
WEIGHTS_FILE = "consolidated.pth"
TOKENIZER_FILE = "tokenizer.model"
# a tied head is a module that looks the table up, so the original has the table twice by name
_TIED_TABLE, _TIED_HEAD = "tok_embeddings.weight", "output.tied_module.weight"
_DTYPES = {"bfloat16": "bf16", "float16": "fp16", "float32": "fp32"}


class OriginalExport:
    """Everything of a composition but its weights, ready to be written.

    Args:
        tree: A composition that ``inexpressible`` has nothing against.
        dtype: Of the weights, ``bfloat16``.

    Attributes:
        params: What becomes ``params.json``.
        left_out: What the format has no place for, in words.
    """

    format: ClassVar[ExportFormat] = "original"

    def __init__(self, tree: SpecTree, dtype: str) -> None:
        self._facts = plm_facts(tree)
        self._ranks = _ranks_file(tree)
        self.params = {
            "model": _model(self._facts),
            "data": _data(tree, self._ranks),
            "distributed": {"model_dtype": _DTYPES.get(dtype, dtype)},
        }
        self.left_out = tuple(_left_out(tree, self._ranks))

    def write(self, directory: Path, tensors: Mapping[str, Tensor]) -> None:
        """Writes all files into a directory that nobody reads yet.

        Args:
            directory: Where.
            tensors: The model's, by our names. Queries and keys are copied, and what is a part
                of a larger memory: a ``.pth`` would hold all of that memory.
        """
        torch.save(self._state(tensors), directory / WEIGHTS_FILE)
        (directory / PARAMS_FILE).write_text(as_json(self.params), encoding="utf-8")
        if self._ranks is not None:
            shutil.copyfile(self._ranks, directory / TOKENIZER_FILE)

    def _state(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        sizes = self._facts.sizes
        names, changes = original_keys(sizes), original_changes(sizes)
        assert names.keys() == tensors.keys()
        state = {}
        for ours, theirs in names.items():
            change = changes.get(ours)
            tensor = tensors[ours] if change is None else change.inverse(tensors[ours])
            state[theirs] = _alone(tensor)
        if sizes.tied:
            state[_TIED_HEAD] = state[_TIED_TABLE]
        return state


def _alone(tensor: Tensor) -> Tensor:
    """The tensor on the CPU, in memory of its own."""
    tensor = tensor.cpu()
    return tensor if tensor.untyped_storage().nbytes() == tensor.nbytes else tensor.clone()


def _model(facts: PLMFacts) -> dict[str, Any]:
    decoder, block = facts.decoder, facts.block
    multiplier, multiple = ffn_rule(facts)
    return {
        "dim": decoder["dim"],
        "n_layers": decoder["num_layers"],
        "n_heads": block["num_heads"],
        "n_kv_heads": block["num_kv_heads"],
        "ffn_dim_multiplier": multiplier,
        "multiple_of": multiple,
        "vocab_size": decoder["vocab_size"],
        "norm_eps": decoder["norm_eps"],
        "weight_tying": decoder["tie_embeddings"],
        "max_seqlen": decoder["max_positions"],
        "rope_theta": decoder["rope_theta"],
        "use_scaled_rope": facts.scales_rope,
        "rope_scale_factor": decoder["rope_scale_factor"],
        # said always: readers differ in what they take for granted
        "low_freq_factor": decoder["rope_low_freq_factor"],
        "high_freq_factor": decoder["rope_high_freq_factor"],
        "pooling_ratio": facts.projector["pool"],
        "vision_model": _vision_model(facts),
    }


def _vision_model(facts: PLMFacts) -> dict[str, Any]:
    encoder = facts.encoder
    return {
        "image_size": encoder["image_size"],
        "patch_size": encoder["patch_size"],
        "width": encoder["dim"],
        "layers": facts.vision_layers,
        "heads": encoder["num_heads"],
        "mlp_ratio": facts.mlp_ratio,
        "use_cls_token": encoder["class_token"],
        "use_abs_posemb": True,
        "use_ln_post": False,
        "ls_init_value": encoder["layer_scale"],
        "drop_path": encoder["drop_path"],
        "pool_type": "none",
        "output_dim": None,
    }


def _data(tree: SpecTree, ranks: Path | None) -> dict[str, Any]:
    data: dict[str, Any] = {"tokenizer_name": "plmchat"}
    if ranks is not None:
        data["tokenizer_path"] = TOKENIZER_FILE
    if tiles := vision_input(tree):
        data["vision_input_type"], data["max_num_tiles"] = tiles
    if max_frames := max_frames_of(tree):
        data["max_video_frames"] = max_frames
    return data


def _ranks_file(tree: SpecTree) -> Path | None:
    """The ``tokenizer.model`` that the variant's tokenizer was read from, if it was."""
    part = part_of(tree, "tokenizer")
    if part.entry.name != "tiktoken" or not issubclass(part.cls, CarriesFiles):
        return None
    files = part.cls.local_files(**part.options).get("path", ())
    return next((file for file in files if file.is_file()), None)


def _left_out(tree: SpecTree, ranks: Path | None) -> Iterator[str]:
    tokenizer = part_of(tree, "tokenizer")
    if ranks is None:
        yield f"{TOKENIZER_FILE}: {tokenizer.entry.address} was not read from one that is here"
    elif tokenizer.options.get("template") != "plm_sft" or tokenizer.options.get("system_prompt"):
        yield "the tokenizer's template and system prompt: the original has its own, plm_sft"
    for slot in ("image_tiler", "frame_transform", "video_sampler"):
        part = tree.parts[slot]
        if part is not None and not _is_said(tree, slot):
            yield f"{part.entry.address}: the original's own takes its place"


def _is_said(tree: SpecTree, slot: str) -> bool:
    part = tree.parts[slot]
    assert part is not None
    if slot == "image_tiler":
        return vision_input(tree) is not None
    return part.entry.name in ("plm_frames", "plm_uniform")
