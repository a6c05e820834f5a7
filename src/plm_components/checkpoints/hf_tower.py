"""The vision tower of a Hugging Face PerceptionLM: timm's arguments -> ``vision_encoder/pe``.

The published configurations name a PE-*core* architecture and override what makes it PE-lang, so
both an architecture's own arguments and the overrides count.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from plm_components.checkpoints.settings import Settings
from plm_components.errors import UnsupportedError
from plm_components.untrusted import shown

_LARGE = {"embed_dim": 1024, "num_heads": 16, "mlp_ratio": 4.0, "patch_size": 14}
_GIANT = {"embed_dim": 1536, "num_heads": 16, "mlp_ratio": 8960 / 1536, "patch_size": 14}
_WITH_CLASS = {"class_token": True, "rope_grid_offset": 1.0}
_WITHOUT_CLASS = {"class_token": False, "rope_grid_offset": 0.0}
_CORE: dict[str, Any] = {
    "global_pool": "map",
    "init_values": None,
    "use_fc_norm": None,
    "use_post_transformer_norm": None,
}
_LANG: dict[str, Any] = {
    "global_pool": "avg",
    "init_values": 0.1,
    "use_fc_norm": False,
    "use_post_transformer_norm": False,
}
# timm's own arguments of each architecture (timm 1.0, models/eva.py), where ours need them
ARCHITECTURES: dict[str, dict[str, Any]] = {
    "vit_pe_core_large_patch14_336": {
        **_CORE, **_LARGE, **_WITH_CLASS, "depth": 24, "img_size": 336, "ref_feat_shape": (24, 24),
    },
    "vit_pe_core_gigantic_patch14_448": {
        **_CORE, **_GIANT, **_WITHOUT_CLASS, "depth": 50, "img_size": 448,
        "ref_feat_shape": (32, 32),
    },
    "vit_pe_lang_large_patch14_448": {
        **_LANG, **_LARGE, **_WITH_CLASS, "depth": 23, "img_size": 448, "ref_feat_shape": (32, 32),
    },
    "vit_pe_lang_gigantic_patch14_448": {
        **_LANG, **_GIANT, **_WITHOUT_CLASS, "depth": 47, "img_size": 448,
        "ref_feat_shape": (32, 32),
    },
}  # fmt: skip

# arguments that our encoder has in one way only, and that way
_FIXED: dict[str, tuple[Any, ...]] = {
    "in_chans": (3,),
    "num_kv_heads": (None,),
    "qkv_bias": (True,),
    "qkv_fused": (True,),
    "qk_norm": (False,),
    "swiglu_mlp": (False,),
    "swiglu_align_to": (0,),
    "scale_mlp": (False,),
    "scale_attn_inner": (False,),
    "attn_type": ("rope",),
    "attn_only_layer_scale": (False,),
    "num_reg_tokens": (0,),
    "no_embed_class": (False,),
    "use_abs_pos_emb": (True,),
    "use_rot_pos_emb": (True,),
    "rope_type": ("cat",),
    "rope_grid_indexing": ("xy",),
    "rope_temperature": (10000.0, 10000),
    "rope_rotate_half": (False,),
    "rope_mrope_section": (None,),
    "use_post_norm": (False,),
    "use_pre_transformer_norm": (True,),
    "dynamic_img_pad": (False,),
    "features_only": (False,),
}
# of training, or of a head that reads nothing we use
_NO_MATTER = (
    "num_classes", "head_init_scale", "attn_pool_num_heads", "attn_pool_mlp_ratio", "drop_rate",
    "pos_drop_rate", "patch_drop_rate", "proj_drop_rate", "attn_drop_rate", "drop_path_rate",
    "rope_shift_coords", "rope_jitter_coords", "rope_rescale_coords",
)  # fmt: skip


def tower_spec(vision: Settings, *, uses_class_token: bool) -> dict[str, Any]:
    """The encoder's slot.

    Args:
        vision: ``vision_config``.
        uses_class_token: ``vision_use_cls_token``: whether the first token is cut off.

    Raises:
        UnsupportedError: something our encoder does not do.
        CheckpointError: a value that cannot be right.
    """
    vision.demand("model_type", (None, "timm_wrapper"), why="only towers of timm are read here")
    args = _arguments(vision)
    for key, allowed in _FIXED.items():
        if key in args.values:
            args.demand(key, allowed, why="vision_encoder/pe has no such choice")
    args.set_aside(*_NO_MATTER)
    _refuse_heads_and_norms(args)
    dim, patch = args.count("embed_dim"), args.count("patch_size")
    image = _side(args, "img_size")
    class_token = args.flag("class_token", True)
    _require_positions(args, class_token, image // patch)
    if class_token != uses_class_token:
        raise args.wrong("class_token", f"as vision_use_cls_token says, {uses_class_token}")
    spec = {
        "type": "pe",
        "dim": dim,
        "num_layers": args.count("depth", most=10_000),
        "num_heads": args.count("num_heads"),
        "ffn_dim": int(dim * args.number("mlp_ratio")),
        "patch_size": patch,
        "image_size": image,
        "class_token": class_token,
        "layer_scale": None if args.raw("init_values") is None else args.number("init_values"),
    }
    if args.flag("dynamic_img_size", False):
        spec["off_native"] = "timm"
    _refuse_unknown(args)
    return spec


def _arguments(vision: Settings) -> Settings:
    name = vision.text("architecture")
    if name not in ARCHITECTURES:
        raise UnsupportedError(
            f"The tower is {shown(repr(name))}, which is no Perception Encoder known here.",
            where=vision.where,
            expected=f"architecture: {' or '.join(ARCHITECTURES)}",
            fix="compose a spec with vision_encoder/timm, which takes any model of timm",
        )
    given = vision.section("model_args")
    vision.set_aside(
        "do_pooling", "global_pool", "initializer_range", "label_names", "num_classes",
        "num_features", "pretrained_cfg", "id2label", "label2id",
    )  # fmt: skip
    return Settings({**ARCHITECTURES[name], **given.values}, given.where)


def _refuse_heads_and_norms(args: Settings) -> None:
    """A norm behind the last block, and heads that leave tensors in the file.

    timm derives what is not said: an average pool brings a norm of the head, and without one a
    norm stands behind the blocks.
    """
    pool, fc_norm = args.raw("global_pool"), args.raw("use_fc_norm")
    norm = args.raw("use_post_transformer_norm")
    if pool not in ("", "token") and not (pool == "avg" and fc_norm is False):
        raise _unlike_pe(args, "global_pool", ("",), "its head is in the file")
    if fc_norm not in (None, False):
        raise _unlike_pe(args, "use_fc_norm", (False,), "a norm of the head is in the file")
    if norm is not False:
        why = "a norm stands behind the last block"
        raise _unlike_pe(args, "use_post_transformer_norm", (False,), why)


def _require_positions(args: Settings, class_token: bool, side: int) -> None:
    offset = 1.0 if class_token else 0.0
    if args.raw("rope_grid_offset") != offset:
        why = "vision_encoder/pe counts from 1 with a class token, from 0 without"
        raise _unlike_pe(args, "rope_grid_offset", (offset,), why)
    reference = args.raw("ref_feat_shape")
    if reference not in (None, side) and list(_pair(reference)) != [side, side]:
        why = "positions would be scaled on native tiles"
        raise _unlike_pe(args, "ref_feat_shape", ([side, side], None), why)


def _side(args: Settings, key: str) -> int:
    value = args.raw(key)
    side, other = _pair(value) if isinstance(value, list | tuple) else (value, value)
    if side != other or type(side) is not int or not 1 <= side <= 1 << 16:
        raise args.wrong(key, "one whole number, or two that are equal")
    return side


def _pair(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, list | tuple) and len(value) == 2 else (value, None)


def _unlike_pe(args: Settings, key: str, allowed: tuple[Any, ...], why: str) -> UnsupportedError:
    return UnsupportedError(
        f"The tower's {key} is {shown(repr(args.values.get(key)))}: {why}.",
        where=args.where,
        expected=f"{key}: {' or '.join(map(repr, allowed))}",
        fix="compose a spec with vision_encoder/timm and these model_args",
    )


def _refuse_unknown(args: Settings) -> None:
    unknown: Mapping[str, Any] = {key: args.values[key] for key in args.unknown()}
    if unknown:
        raise UnsupportedError(
            f"The tower has arguments that nothing here knows: {shown(', '.join(unknown))}.",
            where=args.where,
            expected="arguments of timm's Eva that vision_encoder/pe has too",
            fix="compose a spec with vision_encoder/timm and these model_args",
        )
