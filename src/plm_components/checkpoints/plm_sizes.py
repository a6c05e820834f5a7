"""The sizes of a PerceptionLM that decide which tensors it has."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PLMSizes:
    """Counts and switches; a key map needs no width.

    Args:
        vision_layers: Blocks of the encoder that are built.
        class_token: Whether the encoder has a class token.
        layer_scale: Whether its blocks have learned gates.
        decoder_layers: Blocks of the decoder.
        num_heads: Query heads of the decoder.
        num_kv_heads: Its key/value heads.
        tied: Whether the embedding table is the head.
    """

    vision_layers: int
    class_token: bool
    layer_scale: bool
    decoder_layers: int
    num_heads: int
    num_kv_heads: int
    tied: bool
