"""What the vision towers of transformers differ in: one row a family."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

_HALF = (0.5, 0.5, 0.5)
_CLIP = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


@dataclass(frozen=True)
class Family:
    """One kind of tower.

    Args:
        layers: Name of the module list of its layers.
        final_norm: Name of the norm that makes the last hidden state, or None.
        heads: Names of modules that run and from which no token comes.
        prefix: Tokens before the patches, by configuration.
        normalisation: Published mean and standard deviation of the pixels.
        interpolate: Whether forward has to be told that a tile is not of the native size.
        head_switch: Attribute of the configuration that builds a pooling head, or None.
    """

    layers: str
    final_norm: str | None
    heads: tuple[str, ...]
    prefix: Callable[[Any], int]
    normalisation: tuple[tuple[float, float, float], tuple[float, float, float]]
    interpolate: bool = False
    head_switch: str | None = None


def _class_and_registers(config: Any) -> int:
    return 1 + int(config.num_register_tokens)


FAMILIES = {
    "siglip_vision_model": Family(
        "encoder.layers",
        "post_layernorm",
        (),
        lambda _: 0,
        (_HALF, _HALF),
        interpolate=True,
        head_switch="vision_use_head",
    ),
    # its last hidden state is not normalised: post_layernorm serves the pooled token alone
    "clip_vision_model": Family(
        "encoder.layers", None, ("post_layernorm",), lambda _: 1, _CLIP, interpolate=True
    ),
    "dinov2": Family("encoder.layer", "layernorm", (), lambda _: 1, _IMAGENET),
    "dinov2_with_registers": Family(
        "encoder.layer", "layernorm", (), _class_and_registers, _IMAGENET
    ),
    "dinov3_vit": Family("model.layer", "norm", (), _class_and_registers, _IMAGENET),
    # its forward puts the average in front of the map, as a class token
    "dinov3_convnext": Family("model.stages", "layer_norm", (), lambda _: 1, _IMAGENET),
}

# configurations of two towers, of which the vision tower is taken
TWO_TOWERS = {"siglip": "siglip_vision_model", "clip": "clip_vision_model"}

NAFLEX = ("siglip2", "siglip2_vision_model")
