"""The smallest spec with every slot filled, for tests that assemble; every part is a real one."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import plm_components as plm

WORDS = ["what", "moves", "the", "red", "circle", "left"]

_TINY: dict[str, Any] = {
    "plm": 1,
    "vision_encoder": {
        "type": "timm",
        "model": "vit_pe_lang_large_patch14_448",
        "image_size": 56,
        "model_args": {"embed_dim": 32, "depth": 1, "num_heads": 2},
    },
    "projector": {"type": "avg_pool_mlp", "pool": 2},
    "decoder": {
        "type": "llama",
        "dim": 32,
        "num_layers": 2,
        "vocab_size": 300,
        "max_positions": 256,
        "block": {"type": "prenorm_gqa_swiglu", "num_heads": 4, "num_kv_heads": 2, "ffn_dim": 48},
    },
    "tokenizer": {"type": "words", "words": WORDS, "system_prompt": ""},
    "image_tiler": {"type": "plm_tiles", "max_tiles": 4},
    "frame_transform": {"type": "plm_frames"},
    "video_sampler": {"type": "plm_uniform", "max_frames": 4},
    "video_reader": {"type": "pyav"},
}


def tiny_spec(**slots: Any) -> dict[str, Any]:
    """A fresh copy; keyword arguments replace whole slots."""
    return {**deepcopy(_TINY), **slots}


def ask(variant: plm.Variant, question: Any, **options: Any) -> Any:
    """Asks a variant of random weights, which refuses unless that is said aloud."""
    return variant.ask(question, allow_untrained=True, **options)
