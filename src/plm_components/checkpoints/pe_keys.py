"""``vision_encoder/pe``: its tensors, under timm's names, and under the original ones."""

from __future__ import annotations

from plm_components.checkpoints.changes import Change, LeadingOnes

_BLOCK = {
    "norm1.": "ln_1.",
    # one parameter of attention itself: in_proj_weight, not in_proj.weight
    "attn.qkv.": "attn.in_proj_",
    "attn.proj.": "attn.out_proj.",
    "norm2.": "ln_2.",
    "mlp.fc1.": "mlp.c_fc.",
    "mlp.fc2.": "mlp.c_proj.",
}


def pe_names(num_layers: int, *, class_token: bool, layer_scale: bool) -> tuple[str, ...]:
    """Every tensor of the encoder, from its own root: our names and timm's are the same.

    Args:
        num_layers: Blocks that are built.
        class_token: Whether there is one.
        layer_scale: Whether blocks have learned gates.
    """
    return tuple(original_pe_keys(num_layers, class_token=class_token, layer_scale=layer_scale))


def original_pe_keys(num_layers: int, *, class_token: bool, layer_scale: bool) -> dict[str, str]:
    """Our name (and timm's) -> the original name, both from the encoder's own root.

    Args:
        num_layers: Blocks that are built.
        class_token: Whether there is one.
        layer_scale: Whether blocks have learned gates.
    """
    names = {"cls_token": "class_embedding"} if class_token else {}
    names |= {
        "pos_embed": "positional_embedding",
        "patch_embed.proj.weight": "conv1.weight",
        "norm_pre.weight": "ln_pre.weight",
        "norm_pre.bias": "ln_pre.bias",
    }
    for n in range(num_layers):
        names |= _block_keys(f"blocks.{n}.", f"transformer.resblocks.{n}.", layer_scale)
    return names


def original_pe_changes(*, class_token: bool) -> dict[str, Change]:
    """What reading the original tensors takes, by our name: leading axes of length one."""
    changes: dict[str, Change] = {"pos_embed": LeadingOnes(1)}
    return {"cls_token": LeadingOnes(2), **changes} if class_token else changes


def _block_keys(ours: str, theirs: str, layer_scale: bool) -> dict[str, str]:
    names = {
        f"{ours}{part}{tensor}": f"{theirs}{original}{tensor}"
        for part, original in _BLOCK.items()
        for tensor in ("weight", "bias")
    }
    if layer_scale:
        names |= {f"{ours}gamma_{n}": f"{theirs}ls_{n}.gamma" for n in (1, 2)}
    return names
