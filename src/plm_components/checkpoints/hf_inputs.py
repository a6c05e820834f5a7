"""The files transformers makes inputs from: tokenizer, chat template, image and video processor."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from plm_components.checkpoints.chat_templates import jinja_template
from plm_components.checkpoints.export_ids import ExportIds, added_tokens
from plm_components.checkpoints.plm_facts import PLMFacts, max_frames_of, part_of, vision_input
from plm_components.contracts import PublishedVocabulary
from plm_components.spec import SpecTree

_PROCESSOR = "PerceptionLMProcessor"
_BICUBIC = 3
# of a published file, what is true of the file it stood in only, or written anew
_NOT_CARRIED = (
    "chat_template", "name_or_path", "tokenizer_file", "auto_map", "additional_special_tokens",
)  # fmt: skip


@dataclass(frozen=True)
class InputFiles:
    """Files beside the weights.

    Args:
        texts: Content by file name.
        left_out: What could not be said in them, in words.
    """

    texts: Mapping[str, str]
    left_out: tuple[str, ...]


def hf_inputs(
    tree: SpecTree,
    facts: PLMFacts,
    vocabulary: PublishedVocabulary,
    ids: ExportIds,
) -> InputFiles:
    """What ``AutoProcessor`` reads, as far as the composition can be said in it.

    Args:
        tree: The composition.
        facts: Of it.
        vocabulary: Its tokenizer's files.
        ids: Special tokens.
    """
    names = added_tokens(vocabulary)
    left_out: list[str] = []
    texts = {"tokenizer.json": vocabulary.tokenizer_json}
    texts["tokenizer_config.json"] = as_json(_tokenizer_config(vocabulary, ids, names, facts))
    layout = str(part_of(tree, "tokenizer").options.get("template"))
    template = _chat_template(layout, vocabulary, ids, names)
    if template is None:
        left_out.append(f"chat_template.jinja: transformers has no layout {layout}")
    else:
        texts["chat_template.jinja"] = template
        left_out += _lost_in_its_own_template(layout, template, vocabulary, names.get(ids.image))
    unknown = _unknown_pixels(tree)
    if unknown or ids.image not in names:
        why = unknown or ["the vocabulary has no token that stands for an image"]
        left_out += [f"the processor's files: {reason}" for reason in why]
        return InputFiles(texts, tuple(left_out))
    texts |= {name: as_json(data) for name, data in _processors(tree, facts).items()}
    return InputFiles(texts, tuple(left_out))


def _tokenizer_config(
    vocabulary: PublishedVocabulary, ids: ExportIds, names: Mapping[int, str], facts: PLMFacts
) -> dict[str, Any]:
    carried = {k: v for k, v in vocabulary.config.items() if k not in _NOT_CARRIED}
    special = _named(names, image_token=ids.image, video_token=ids.video)
    return {
        **_named(names, bos_token=ids.begin, eos_token=ids.stop[-1], pad_token=ids.pad),
        "model_max_length": facts.decoder["max_positions"],
        **carried,
        # nothing but tokenizer.json decides: other classes rebuild parts of it by their own rules
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_input_names": ["input_ids", "attention_mask"],
        "processor_class": _PROCESSOR,
        **special,
        "extra_special_tokens": special,
    }


def _named(names: Mapping[int, str], **tokens: int | None) -> dict[str, str]:
    """Contents of the tokens that have one, by role."""
    return {
        role: names[token] for role, token in tokens.items() if token is not None and token in names
    }


def _chat_template(
    layout: str, vocabulary: PublishedVocabulary, ids: ExportIds, names: Mapping[int, str]
) -> str | None:
    if layout == "jinja":
        return vocabulary.chat_template
    image = names.get(ids.image, "")
    return jinja_template(
        layout,
        system_prompt=vocabulary.system_prompt,
        image=image,
        video=names.get(ids.video, image),
    )


def _lost_in_its_own_template(
    layout: str, template: str, vocabulary: PublishedVocabulary, image: str | None
) -> Iterator[str]:
    """What our conversations have beside a tokenizer's own template, and transformers' have not."""
    if layout == "jinja" and vocabulary.system_prompt:
        yield "tokenizer.system_prompt: the tokenizer's own template says what it says"
    if layout == "jinja" and image is not None and image not in template:
        yield "the places of images: the tokenizer's own template has none"


def _unknown_pixels(tree: SpecTree) -> list[str]:
    """What of tiles and frames transformers' processors cannot do."""
    reasons = []
    tiler, frames = tree.parts["image_tiler"], tree.parts["frame_transform"]
    if tiler is not None and vision_input(tree) is None:
        reasons.append(f"{tiler.entry.address} with its options cuts tiles in a way of its own")
    if frames is not None and frames.entry.name != "plm_frames":
        reasons.append(f"{frames.entry.address} resizes frames in a way of its own")
    return reasons


def _processors(tree: SpecTree, facts: PLMFacts) -> dict[str, dict[str, Any]]:
    tiles_as_said = vision_input(tree)
    assert tiles_as_said is not None
    kind, max_tiles = tiles_as_said
    side = facts.encoder["image_size"]
    shared = {
        "processor_class": _PROCESSOR,
        "do_convert_rgb": True,
        "do_resize": True,
        "do_rescale": True,
        "do_normalize": True,
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.5, 0.5, 0.5],
        "rescale_factor": 1 / 255,
        "resample": _BICUBIC,
        "size": {"height": side, "width": side},
    }
    tiles = {
        "image_processor_type": "PerceptionLMImageProcessorFast",
        "vision_input_type": kind,
        "tile_size": side,
        "max_num_tiles": max_tiles,
        "max_frame_tiles": 1,
    }
    frames: dict[str, Any] = {
        "video_processor_type": "PerceptionLMVideoProcessor",
        "do_center_crop": False,
    }
    if max_frames := max_frames_of(tree):
        # how many, once a caller says do_sample_frames=True; which frames is transformers' choice
        frames["num_frames"] = max_frames
    whole = {
        "processor_class": _PROCESSOR,
        "patch_size": facts.encoder["patch_size"],
        "pooling_ratio": facts.projector["pool"],
    }
    return {
        "preprocessor_config.json": {**tiles, **shared},
        "video_preprocessor_config.json": {**frames, **shared},
        "processor_config.json": whole,
    }


def as_json(data: Mapping[str, Any]) -> str:
    """A JSON file's text."""
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"
