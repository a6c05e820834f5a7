"""The kinds of component: their contract version and the arguments the assembler wires.

Wired names are part of a contract's version. Anything else before the ``*`` of a constructor is
a conformance failure; anything after it is an option a spec may set.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """What a component can be.

    Args:
        name: The kind, as it stands in an address (``projector``).
        contract: The version of its contract.
        wired: Constructor arguments the assembler passes, by position.
        summary: One line for ``plm list``.
        wired_from: Where each wired argument comes from, for messages.
    """

    name: str
    contract: int
    wired: tuple[str, ...]
    summary: str
    wired_from: tuple[str, ...] = ()


_KINDS = (
    Kind("vision_encoder", 1, (), "pixels to tokens"),
    Kind(
        "projector",
        1,
        ("in_dim", "out_dim"),
        "vision tokens to decoder embeddings",
        ("vision_encoder", "decoder"),
    ),
    Kind("decoder", 1, (), "embeddings to next-token logits"),
    Kind(
        "decoder_block",
        1,
        ("dim", "layer_index"),
        "one layer of a native decoder",
        ("the enclosing decoder", "its place among the layers"),
    ),
    Kind(
        "attention",
        1,
        ("num_heads", "num_kv_heads", "head_dim"),
        "softmax(QK)V under a mask",
        ("the enclosing block",) * 3,
    ),
    Kind("pooling", 1, (), "average of token windows"),
    Kind("tokenizer", 1, (), "text and conversations to ids"),
    Kind("image_tiler", 1, ("tile_size",), "one image to uint8 tiles", ("vision_encoder",)),
    Kind("frame_transform", 1, ("tile_size",), "video frames to uint8 tiles", ("vision_encoder",)),
    Kind("video_sampler", 1, (), "which frames of a video to look at"),
    Kind("video_reader", 1, (), "frames out of a video file"),
)

KINDS: dict[str, Kind] = {kind.name: kind for kind in _KINDS}
