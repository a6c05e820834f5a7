"""``config.json`` and ``generation_config.json``, as transformers 5 writes them."""

from __future__ import annotations

from typing import Any

from plm_components.checkpoints.export_ids import ExportIds
from plm_components.checkpoints.plm_facts import PLMFacts

# as published: PE-Core's architectures, with arguments that make PE-Lang of them. They are where
# timm keeps what JSON cannot say (the norm's epsilon, rotary positions in x-y order)
_WITH_CLASS_TOKEN = "vit_pe_core_large_patch14_336"
_WITHOUT = "vit_pe_core_gigantic_patch14_448"


def hf_config(facts: PLMFacts, ids: ExportIds, dtype: str) -> dict[str, Any]:
    """``config.json``.

    Args:
        facts: Of the composition.
        ids: Special tokens.
        dtype: Of the tensors, ``bfloat16``.
    """
    tied = facts.decoder["tie_embeddings"]
    return {
        "architectures": ["PerceptionLMForConditionalGeneration"],
        "model_type": "perception_lm",
        "dtype": dtype,
        "image_token_id": ids.image,
        "video_token_id": ids.video,
        "projector_pooling_ratio": facts.projector["pool"],
        "vision_use_cls_token": facts.encoder["class_token"],
        "tie_word_embeddings": tied,
        "text_config": _text_config(facts, ids, dtype),
        "vision_config": _vision_config(facts, dtype),
    }


def hf_generation_config(ids: ExportIds) -> dict[str, Any]:
    """``generation_config.json``: greedy, as published."""
    return {
        "do_sample": False,
        "bos_token_id": ids.begin,
        "eos_token_id": list(ids.stop) or None,
        "pad_token_id": ids.pad,
    }


def _text_config(facts: PLMFacts, ids: ExportIds, dtype: str) -> dict[str, Any]:
    decoder, block = facts.decoder, facts.block
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "dtype": dtype,
        "hidden_size": decoder["dim"],
        "intermediate_size": block["ffn_dim"],
        "num_hidden_layers": decoder["num_layers"],
        "num_attention_heads": block["num_heads"],
        "num_key_value_heads": block["num_kv_heads"],
        "head_dim": facts.head_dim,
        "hidden_act": "silu",
        "attention_bias": False,
        "mlp_bias": False,
        "rms_norm_eps": decoder["norm_eps"],
        "vocab_size": decoder["vocab_size"],
        "max_position_embeddings": decoder["max_positions"],
        "rope_parameters": _rope(facts),
        "tie_word_embeddings": decoder["tie_embeddings"],
        "bos_token_id": ids.begin,
        "eos_token_id": list(ids.stop) or None,
        "pad_token_id": ids.pad,
    }


def _rope(facts: PLMFacts) -> dict[str, Any]:
    decoder = facts.decoder
    if not facts.scales_rope:
        return {"rope_type": "default", "rope_theta": decoder["rope_theta"]}
    return {
        "rope_type": "llama3",
        "rope_theta": decoder["rope_theta"],
        "factor": decoder["rope_scale_factor"],
        "low_freq_factor": decoder["rope_low_freq_factor"],
        "high_freq_factor": decoder["rope_high_freq_factor"],
        "original_max_position_embeddings": decoder["rope_original_positions"],
    }


def _vision_config(facts: PLMFacts, dtype: str) -> dict[str, Any]:
    encoder, side = facts.encoder, facts.grid_side
    with_class_token: bool = encoder["class_token"]
    return {
        "model_type": "timm_wrapper",
        "architecture": _WITH_CLASS_TOKEN if with_class_token else _WITHOUT,
        "dtype": dtype,
        "do_pooling": True,
        "model_args": {
            # refuses tiles of another size, unless told to resample its positions
            **({"dynamic_img_size": True} if encoder["off_native"] == "timm" else {}),
            "embed_dim": encoder["dim"],
            "depth": facts.vision_layers,
            "num_heads": encoder["num_heads"],
            "mlp_ratio": facts.mlp_ratio,
            "patch_size": encoder["patch_size"],
            "img_size": [encoder["image_size"]] * 2,
            "class_token": with_class_token,
            "init_values": encoder["layer_scale"],
            "ref_feat_shape": [side, side],
            "rope_grid_offset": float(with_class_token),
            "use_post_transformer_norm": False,
            # no pooling: the projector wants every token
            "global_pool": "",
        },
    }
