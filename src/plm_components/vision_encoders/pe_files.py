"""The native Perception Encoder out of timm's files: the names are the same, the sizes compared."""

from __future__ import annotations

from typing import Any

from plm_components.contracts import CheckpointHeader, Reading, refusal, refuse_differing
from plm_components.vision_encoders.timm_files import (
    backbone_of,
    reading_of,
    refuse_other_architecture,
    timm_tower,
)

# what stands behind the blocks: read by no one here
_BEHIND = ("norm.", "attn_pool.", "head.")


def read_timm_pe(encoder: Any, header: CheckpointHeader) -> Reading:
    """The map of a ``vision_encoder/pe``.

    Args:
        encoder: The encoder; ``sizes`` says how it was built.
        header: Of the checkpoint.

    Raises:
        CheckpointError: not the Perception Encoder that was built.
    """
    prefix, config = timm_tower(header)
    ours = set(encoder.state_dict())
    if config.get("architecture"):
        refuse_other_architecture(header, config, "vit_pe_lang_large_patch14_448")
        whole = backbone_of(config)
        refuse_differing(_sizes(whole), _wanted(encoder), options="the options of vision_encoder")
        others = set(whole.state_dict()) - ours
    else:
        _refuse_plain_vit(header)
        depth = encoder.sizes["num_layers"]
        idle = tuple(f"blocks.{n}." for n in range(len(encoder.blocks), depth))
        others = {name for name in header.shapes if name.startswith((*_BEHIND, *idle))}
    return reading_of(header, prefix, {name: name for name in ours}, others)


def _wanted(encoder: Any) -> dict[str, Any]:
    sizes = dict(encoder.sizes)
    side = sizes["image_size"] // sizes["patch_size"]
    return {
        **sizes,
        "rotary positions counted from": int(sizes["class_token"]),
        "grid": [side, side],
    }


def _sizes(backbone: Any) -> dict[str, Any]:
    """The same of a timm Perception Encoder."""
    block, rope = backbone.blocks[0], backbone.rope
    return {
        "dim": backbone.embed_dim,
        "num_layers": len(backbone.blocks),
        "num_heads": block.attn.num_heads,
        "ffn_dim": block.mlp.fc1.out_features,
        "patch_size": backbone.patch_embed.patch_size[0],
        "image_size": backbone.patch_embed.img_size[0],
        "class_token": backbone.cls_token is not None,
        "layer_scale": block.gamma_1 is not None,
        "norm_eps": block.norm1.eps,
        "rotary positions counted from": int(rope.grid_offset),
        # timm scales positions to this grid; on the native one that changes nothing
        "grid": list(rope.ref_feat_shape or backbone.patch_embed.grid_size),
    }


def _refuse_plain_vit(header: CheckpointHeader) -> None:
    """A CLIP tower of timm has the same names; a final norm without pooling gives it away."""
    names = set(header.shapes)
    if "norm.weight" in names and not any(name.startswith("attn_pool.") for name in names):
        raise refusal(
            f"This is {header}, with a final norm and no attention pooling: no Perception Encoder.",
            expected="a Perception Encoder, with attention pooling or without a final norm",
            fix="choose vision_encoder=timm and its model for this checkpoint",
        )
