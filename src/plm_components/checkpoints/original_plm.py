"""Original PerceptionLM directories: ``params.json`` becomes a spec, the ``.pth`` file tensors.

``params.json`` holds the arguments of a training run; most of them say nothing about the model.
Two published programs read it and differ in one point, the stretch of the rotary frequencies:
where they would, the spec follows the one that made the Hugging Face checkpoints, and says so.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from plm_components.checkpoints.media_fit import fit_media
from plm_components.checkpoints.original_keys import original_changes, original_keys
from plm_components.checkpoints.pickled import open_pickled
from plm_components.checkpoints.plm_sizes import PLMSizes
from plm_components.checkpoints.published import Published, stored_dtype
from plm_components.checkpoints.renamed import RenamedTensors
from plm_components.checkpoints.settings import Settings, read_settings
from plm_components.checkpoints.source import TensorSource
from plm_components.errors import UnsupportedError
from plm_components.untrusted import shown

PARAMS_FILE = "params.json"
TOKENIZER_FILE = "tokenizer.model"

EMBEDDINGS = "tok_embeddings.weight"
# as the public code has them where params.json is silent
_MAX_TILES, _MAX_FRAMES, _OLD_CONTEXT = 36, 32, 8192
_PUBLIC_HIGH, _CONVERTER_HIGH = 32.0, 4.0
# both published encoders have 16 heads, and not every params.json repeats it
_HEADS = 16
# of training, of initialisation, and of where a run found its files
_MODEL_NO_MATTER = (
    "seed", "init_base_std", "init_std_factor", "mlp_init", "freeze_language_model",
    "freeze_vision_model", "vision_model_path", "loss_reduction", "logging_level", "sliding_window",
)  # fmt: skip
_DATA_NO_MATTER = (
    "datamix", "batch_size", "num_workers", "prefetch_factor", "seed", "root_dir", "image_res",
    "tokenizer_path",
)  # fmt: skip


def read_original(directory: Path, name: str) -> Published:
    """What a directory says of itself; of the tensors only the embedding table's shape.

    Args:
        directory: With ``params.json`` and ``consolidated.pth``.
        name: How a spec names it.

    Raises:
        CheckpointError: a file that cannot be read, or a value that cannot be right.
        UnsupportedError: something our parts cannot express, with the reason.
    """
    params = read_settings(directory / PARAMS_FILE)
    stored = open_pickled(directory, f"original:{name}")
    model, data = params.section("model"), params.section("data")
    vision = model.section("vision_model")
    notes: list[str] = []
    spec: dict[str, Any] = {
        "plm": 1,
        "vision_encoder": _encoder(vision),
        "projector": {
            "type": "avg_pool_mlp",
            "pool": model.count("pooling_ratio", 1, most=1024),
        },
        "decoder": _decoder(model, stored, notes),
        "tokenizer": _tokenizer(data, name),
        "image_tiler": _tiler(data),
        "frame_transform": {"type": "plm_frames"},
        "video_sampler": {
            "type": "plm_uniform",
            "max_frames": data.count("max_video_frames", _MAX_FRAMES, most=1 << 20),
        },
        "video_reader": {"type": "pyav"},
        "media_token_ids": [128002],
        "weights": f"original:{name}",
    }
    _refuse_other_projectors(model)
    model.set_aside(*_MODEL_NO_MATTER)
    data.set_aside(*_DATA_NO_MATTER)
    unknown = [f"model.{key}" for key in model.unknown()]
    unknown += [f"model.vision_model.{key}" for key in vision.unknown()]
    unknown += [f"data.{key}" for key in data.unknown()]
    if unknown:
        notes.append(f"{PARAMS_FILE}: nothing here knows {shown(', '.join(unknown), 500)}")
    return Published(spec, stored_dtype(stored, EMBEDDINGS), (*notes, *fit_media(spec)))


def open_original(directory: Path, origin: str, sizes: PLMSizes) -> RenamedTensors:
    """The tensors of a directory, under our names and in our layout.

    Args:
        directory: With ``consolidated.pth`` or ``consolidated.00.pth``, or that file.
        origin: How to call it in messages.
        sizes: Of the model that wants them.
    """
    stored = open_pickled(directory, origin)
    extras = tuple(name for name in stored.shapes if _may_have(name, sizes))
    return RenamedTensors(stored, original_keys(sizes), original_changes(sizes), extras)


def _may_have(name: str, sizes: PLMSizes) -> bool:
    """Tensors a file may have beside the model's: aliases, tables, and what PE-core has more."""
    if name == "output.tied_module.weight":
        return sizes.tied
    if name.startswith(("rope.", "rope_embeddings.")):
        return True
    if name.startswith(("vision_model.attn_pool.", "vision_model.ln_post.")):
        return True
    if name == "vision_model.proj":
        return True
    block = name.removeprefix("vision_model.transformer.resblocks.")
    number = block.partition(".")[0]
    is_number = number.isdecimal() and len(number) < 10
    return block != name and is_number and int(number) >= sizes.vision_layers


def _encoder(vision: Settings) -> dict[str, Any]:
    vision.demand("use_ln_post", (False,), why="vision_encoder/pe has no norm behind its blocks")
    vision.demand("output_dim", (None,), why="vision_encoder/pe has no output projection")
    vision.demand("pool_type", (None, "none"), why="the projector wants every token")
    for key in ("use_abs_posemb", "use_rope2d", "use_ln_pre"):
        vision.demand(key, (None, True), why="vision_encoder/pe has it")
    vision.set_aside("attn_pooler_heads", "act_layer", "norm_layer", "num_classes")
    dim = vision.count("width")
    gates = vision.raw("ls_init_value")
    return {
        "type": "pe",
        "dim": dim,
        "num_layers": vision.count("layers", most=10_000),
        "num_heads": vision.count("heads", _HEADS),
        "ffn_dim": int(dim * vision.number("mlp_ratio", 4.0)),
        "patch_size": vision.count("patch_size"),
        "image_size": vision.count("image_size"),
        "class_token": vision.flag("use_cls_token", True),
        "layer_scale": None if gates is None else vision.number("ls_init_value"),
        "drop_path": vision.number("drop_path", 0.0, least=-1e-9),
    }


def _decoder(model: Settings, stored: TensorSource, notes: list[str]) -> dict[str, Any]:
    dim, heads = model.count("dim"), model.count("n_heads")
    eps = model.number("norm_eps", 1e-5)
    block = {
        "type": "prenorm_gqa_swiglu",
        "num_heads": heads,
        "num_kv_heads": model.count("n_kv_heads", heads),
        "ffn_dim": _ffn_dim(model, dim),
        "norm_eps": eps,
    }
    head_dim = model.count("head_dim", max(1, dim // heads))
    if head_dim * heads != dim:
        block["head_dim"] = head_dim
    return {
        "type": "llama",
        "dim": dim,
        "num_layers": model.count("n_layers", most=10_000),
        "vocab_size": _vocab_size(model, stored),
        "max_positions": model.count("max_seqlen"),
        "norm_eps": eps,
        "rope_theta": model.number("rope_theta"),
        **_stretch(model, notes),
        "tie_embeddings": model.flag("weight_tying", False),
        "block": block,
    }


def _ffn_dim(model: Settings, dim: int) -> int:
    step = model.count("multiple_of", 256)
    hidden = int(2 * (4 * dim) / 3)
    if "ffn_dim_multiplier" in model:
        hidden = int(model.number("ffn_dim_multiplier") * hidden)
    model.set_aside("ffn_dim_multiplier")
    return step * ((hidden + step - 1) // step)


def _vocab_size(model: Settings, stored: TensorSource) -> int:
    """The table's rows: runs write -1, or nothing, where the tokenizer decides."""
    if model.raw("vocab_size") in (None, -1):
        shape = stored.shapes.get(EMBEDDINGS, ())
        return shape[0] if len(shape) == 2 else 1
    return model.count("vocab_size")


def _stretch(model: Settings, notes: list[str]) -> dict[str, Any]:
    """Llama 3.1's stretch; the switch ``use_scaled_rope`` is known to one of two programs."""
    factor = model.number("rope_scale_factor", 1.0)
    said = "use_scaled_rope" in model
    switch = model.flag("use_scaled_rope", False) if said else None
    if switch and "rope_scale_factor" not in model:
        raise UnsupportedError(
            "use_scaled_rope is true, and there is no rope_scale_factor.",
            where=model.where,
            expected="both: one published program demands the factor, another takes 1, and Meta's "
            "own Llama takes 8",
            fix="set rope_scale_factor as the model was trained, or use_scaled_rope to false",
        )
    if switch is False and factor != 1.0:
        raise UnsupportedError(
            f"use_scaled_rope is false, and rope_scale_factor is {factor:g}.",
            where=model.where,
            expected="one of them: the published programs read this differently",
            fix="set rope_scale_factor to 1, or use_scaled_rope to true, as the model was trained",
        )
    # the program that made the Hugging Face checkpoints, or the public one
    high = _CONVERTER_HIGH if switch else _PUBLIC_HIGH
    if factor != 1.0 and "high_freq_factor" not in model:
        other = _PUBLIC_HIGH if switch else _CONVERTER_HIGH
        notes.append(
            f"{PARAMS_FILE} has no high_freq_factor: {high:g} is taken, where another published "
            f"program takes {other:g}"
        )
    return {
        "rope_scale_factor": factor,
        "rope_low_freq_factor": model.number("low_freq_factor", 1.0),
        "rope_high_freq_factor": model.number("high_freq_factor", high),
        "rope_original_positions": model.count("old_context_len", _OLD_CONTEXT),
    }


def _tokenizer(data: Settings, name: str) -> dict[str, Any]:
    data.demand("tokenizer_name", (None, "plmchat"), why="tokenizer/tiktoken reads PLM's own")
    template = data.text("conversation_format", "plm_sft")
    if template not in ("plm_sft", "warmup"):
        raise data.wrong("conversation_format", "plm_sft or warmup")
    path = (Path(name) / TOKENIZER_FILE).as_posix()
    return {"type": "tiktoken", "path": path, "template": template}


def _tiler(data: Settings) -> dict[str, Any]:
    kind = data.text("vision_input_type", "thumb+tile")
    if kind == "vanilla":
        data.set_aside("max_num_tiles")
        return {"type": "single"}
    if kind != "thumb+tile":
        raise data.wrong("vision_input_type", "thumb+tile or vanilla")
    return {"type": "plm_tiles", "max_tiles": data.count("max_num_tiles", _MAX_TILES, most=4096)}


def _refuse_other_projectors(model: Settings) -> None:
    model.demand("projector_type", (None, "mlp"), why="only the MLP projector is read here")
