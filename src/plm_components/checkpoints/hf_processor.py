"""The processor files of a Hugging Face PerceptionLM -> the slots that prepare media and words.

Older versions of transformers write ``preprocessor_config.json`` and
``video_preprocessor_config.json``, newer ones put both into ``processor_config.json``. What is
absent has transformers' defaults, which are the published values.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from plm_components.checkpoints.settings import MAX_BYTES, Settings, read_json, read_settings
from plm_components.contracts.text import PLM_SYSTEM_PROMPT
from plm_components.errors import CheckpointError
from plm_components.untrusted import read_text

PROCESSOR_FILE = "processor_config.json"
IMAGE_FILE = "preprocessor_config.json"
VIDEO_FILE = "video_preprocessor_config.json"
GENERATION_FILE = "generation_config.json"
TOKENIZER_FILE = "tokenizer.json"
# newer and older versions of transformers keep a chat template here and there
_JINJA_FILE = "chat_template.jinja"
_OLD_TEMPLATE_FILES = ("chat_template.json", "tokenizer_config.json")

# no template without all of them lays a conversation out as PerceptionLM's does
_PLM_SFT = ("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", PLM_SYSTEM_PROMPT)
_FRAMES = 32
# Llama 3's has 9 to 17 MB
_TOKENIZER_BYTES = 64 * 2**20
_BICUBIC = 3


def media_slots(directory: Path, encoder: dict[str, Any], pool: int) -> dict[str, Any]:
    """Tiler, frame transform, sampler and reader.

    Args:
        directory: Where the files lie.
        encoder: The encoder's slot, whose sizes the files must share.
        pool: The projector's window.

    Raises:
        CheckpointError: sizes that contradict the model's.
        UnsupportedError: a preparation that none of our parts does.
    """
    whole = _settings(directory / PROCESSOR_FILE)
    _require_same(whole, "patch_size", encoder["patch_size"])
    _require_same(whole, "pooling_ratio", pool)
    image = _nested_or_file(whole, "image_processor", directory / IMAGE_FILE)
    video = _nested_or_file(whole, "video_processor", directory / VIDEO_FILE)
    size = encoder["image_size"]
    _require_same(image, "tile_size", size)
    for one in (image, video):
        _refuse_other_pixels(one)
        _require_square(one, size)
    frames = video.count("num_frames", _FRAMES, most=1 << 20)
    return {
        "image_tiler": _tiler(image),
        "frame_transform": {"type": "plm_frames"},
        "video_sampler": {"type": "plm_uniform", "max_frames": frames},
        "video_reader": {"type": "pyav"},
    }


def tokenizer_slot(directory: Path, path: str) -> dict[str, Any]:
    """The tokenizer, in the directory's template, with the generation configuration's stops.

    PerceptionLM's own template is ``plm_sft`` here, which can put media between words.

    Args:
        directory: Where the files lie; without ``tokenizer.json`` the slot says where to put it.
        path: How the spec names the directory: a path, or a hub id.
    """
    slot: dict[str, Any] = {"type": "hf", "path": path, "template": _layout(directory)}
    stops = _stop_ids(directory / GENERATION_FILE)
    if stops and (directory / TOKENIZER_FILE).is_file():
        slot["stop_tokens"] = _tokens(directory / TOKENIZER_FILE, stops)
    return slot


def _layout(directory: Path) -> str:
    try:
        template = _chat_template(directory)
    except (OSError, ValueError):
        return "plm_sft"  # the tokenizer tells what is wrong with its files
    is_plms = template is None or all(part in template for part in _PLM_SFT)
    return "plm_sft" if is_plms else "jinja"


def _chat_template(directory: Path) -> str | None:
    """The one that counts where nothing is said; None where there is none."""
    if (directory / _JINJA_FILE).is_file():
        return read_text(directory / _JINJA_FILE, MAX_BYTES)
    for name in _OLD_TEMPLATE_FILES:
        template = _settings(directory / name).raw("chat_template")
        if isinstance(template, list):
            named = [one for one in template if isinstance(one, dict)]
            template = next((o.get("template") for o in named if o.get("name") == "default"), None)
        if isinstance(template, str):
            return template
    return None


def _tiler(image: Settings) -> dict[str, Any]:
    if image.text("vision_input_type", "thumb+tile") != "thumb+tile":
        return {"type": "single"}
    return {"type": "plm_tiles", "max_tiles": image.count("max_num_tiles", 36, most=4096)}


def _settings(path: Path) -> Settings:
    return read_settings(path) if path.is_file() else Settings({}, str(path))


def _nested_or_file(whole: Settings, key: str, path: Path) -> Settings:
    return whole.section(key) if key in whole else _settings(path)


def _require_same(settings: Settings, key: str, ours: int) -> None:
    if key in settings and settings.count(key) != ours:
        raise settings.wrong(key, f"{ours}, as config.json says")


def _refuse_other_pixels(one: Settings) -> None:
    half = [0.5, 0.5, 0.5]
    for key in ("image_mean", "image_std"):
        one.demand(key, (None, half), why="the encoder wants pixels from -1 to 1")
    for key in ("do_resize", "do_rescale", "do_normalize"):
        one.demand(key, (None, True), why="tiles are resized, rescaled and normalised here")
    one.demand("do_center_crop", (None, False), why="frames are stretched here")
    one.demand("resample", (None, _BICUBIC), why="tiles are resampled bicubically here")
    factor = one.number("rescale_factor", 1 / 255)
    if abs(factor * 255 - 1) > 1e-6:
        raise one.wrong("rescale_factor", "1/255")


def _require_square(one: Settings, size: int) -> None:
    sides = one.section("size")
    for key in sides.values:
        _require_same(sides, key, size)


def _stop_ids(path: Path) -> list[int]:
    if not path.is_file():
        return []
    generation = read_settings(path)
    stops = generation.raw("eos_token_id")
    stops = stops if isinstance(stops, list) else [] if stops is None else [stops]
    if any(type(one) is not int or one < 0 for one in stops):
        raise generation.wrong("eos_token_id", "a token id, or a list of them")
    return stops


def _tokens(path: Path, ids: list[int]) -> list[str]:
    """The added tokens of a ``tokenizer.json`` that have these ids."""
    added = read_json(path, _TOKENIZER_BYTES).get("added_tokens")
    listed = added if isinstance(added, list) else []
    names = {
        one.get("id"): str(one["content"])
        for one in listed
        if isinstance(one, dict)
        and type(one.get("id")) is int
        and isinstance(one.get("content"), str)
    }
    missing = [one for one in ids if one not in names]
    if missing:
        raise CheckpointError(
            f"An answer ends with token {missing[0]}, which the tokenizer does not add.",
            where=str(path),
            expected=f"an added token for each of {GENERATION_FILE}'s eos_token_id",
            fix="fetch both files again from where the checkpoint came",
        )
    return [names[one] for one in ids]
