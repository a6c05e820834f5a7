"""What stands in a spec: its slots, its own keys, and the words a slot reserves."""

from __future__ import annotations

from dataclasses import dataclass

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

TOP_KEYS = ("plm", "base", *SPEC_SLOTS, "media_token_ids", "weights")
