"""What stands in a spec: its slots, its own keys, and the words a slot reserves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

SPEC_VERSION = 1

# keys of a slot that no component may take for an option
RESERVED = ("type", "weights", "trainable")


@dataclass(frozen=True)
class SpecSlot:
    """A top-level slot.

    Args:
        kind: Kind of the component that fills it.
        required: Whether every spec has it; the others may be null.
    """

    kind: str
    required: bool


SPEC_SLOTS: dict[str, SpecSlot] = {
    "vision_encoder": SpecSlot("vision_encoder", required=True),
    "projector": SpecSlot("projector", required=True),
    "decoder": SpecSlot("decoder", required=True),
    "tokenizer": SpecSlot("tokenizer", required=True),
    "image_tiler": SpecSlot("image_tiler", required=False),
    "frame_transform": SpecSlot("frame_transform", required=False),
    "video_sampler": SpecSlot("video_sampler", required=False),
    "video_reader": SpecSlot("video_reader", required=False),
}

# where media stand and how several images are tiled: as PerceptionLM's own code, or transformers'
MediaLayout: TypeAlias = Literal["reference", "hf"]

# number of the first frame that is looked at, in a model's answers: a matter of its training
FirstFrame: TypeAlias = Literal[0, 1]

# what a spec may say of its processor, which is no part: name -> type and default
PROCESSOR_OPTIONS: dict[str, tuple[Any, Any]] = {
    "layout": (MediaLayout, "reference"),
    "first_frame": (FirstFrame, 0),
}

TOP_KEYS = ("plm", "base", *SPEC_SLOTS, "processor", "media_token_ids", "weights")
