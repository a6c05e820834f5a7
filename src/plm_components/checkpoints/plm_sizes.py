"""The sizes of a PerceptionLM that decide which tensors it has."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from plm_components.errors import UnsupportedError

_QUERIES, _KEYS = "decoder.layers.0.q_proj.weight", "decoder.layers.0.k_proj.weight"


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


def plm_sizes(shapes: Mapping[str, tuple[int, ...]], *, head_dim: int) -> PLMSizes:
    """The sizes of a model, from its tensors: any parts that have a PLM's tensors will do.

    Args:
        shapes: Of the model's tensors, by our names.
        head_dim: Channels of one head of the decoder.
    """
    return PLMSizes(
        vision_layers=_layers(shapes, r"vision_encoder\.blocks\.(\d+)\."),
        class_token="vision_encoder.cls_token" in shapes,
        layer_scale="vision_encoder.blocks.0.gamma_1" in shapes,
        decoder_layers=_layers(shapes, r"decoder\.layers\.(\d+)\."),
        num_heads=_rows(shapes, _QUERIES) // head_dim,
        num_kv_heads=_rows(shapes, _KEYS) // head_dim,
        tied="decoder.lm_head.weight" not in shapes,
    )


def require_plm(names: Collection[str], known: Collection[str], *, where: str, kind: str) -> None:
    """Refuses a model whose tensors are not those of a PerceptionLM.

    Args:
        names: Of the model's tensors.
        known: Those that a key map of the same sizes names.
        where: Who asks, for the message.
        kind: The format, for the message.

    Raises:
        UnsupportedError: names the first tensors that the format has no place for, or lacks.
    """
    known, names = set(known), set(names)
    strange = sorted(names - known) or sorted(known - names)
    if not strange:
        return
    verb = "has no place in" if names - known else "is missing for"
    raise UnsupportedError(
        f"{strange[0]} {verb} {kind} weights ({len(strange)} such tensors).",
        where=where,
        expected="vision_encoder/pe, projector/avg_pool_mlp, decoder/llama, "
        "decoder_block/prenorm_gqa_swiglu, or parts with the same tensors",
        fix="use these parts, or weights: plm:<directory> that was saved with this spec",
    )


def _layers(names: Collection[str], pattern: str) -> int:
    found = (re.match(pattern, name) for name in names)
    return max((int(match[1]) for match in found if match), default=-1) + 1


def _rows(shapes: Mapping[str, tuple[int, ...]], name: str) -> int:
    return shapes[name][0] if name in shapes else 0
