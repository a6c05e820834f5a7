"""Checkpoints of others, tiny and random, as their own libraries write them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import timm
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import (
    CLIPConfig,
    CLIPModel,
    Dinov2Config,
    Dinov2ForImageClassification,
    Dinov2Model,
    LlamaConfig,
    LlamaForCausalLM,
    PerceptionLMConfig,
    PerceptionLMForConditionalGeneration,
    Qwen3Config,
    Qwen3ForCausalLM,
    SiglipConfig,
    SiglipModel,
    SiglipVisionConfig,
    SiglipVisionModel,
)

VISION = {
    "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2,
    "image_size": 56, "patch_size": 14,
}  # fmt: skip
_TEXT = {
    "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2,
    "vocab_size": 20, "max_position_embeddings": 8, "bos_token_id": 1, "eos_token_id": 2,
    "pad_token_id": 0,
}  # fmt: skip
LLAMA = {
    "vocab_size": 300, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 256,
    "rms_norm_eps": 1e-5,
}  # fmt: skip
PLAIN_ROPE = {"rope_type": "default", "rope_theta": 500000.0}
LLAMA3_ROPE = {
    "rope_type": "llama3", "rope_theta": 500000.0, "factor": 8.0, "low_freq_factor": 1.0,
    "high_freq_factor": 4.0, "original_max_position_embeddings": 64,
}  # fmt: skip
PE = {"embed_dim": 32, "depth": 2, "num_heads": 2, "img_size": 56, "ref_feat_shape": (4, 4)}
PE_MODEL = "vit_pe_lang_large_patch14_448"


def _drawn(model: Any) -> Any:
    """With every parameter away from its starting value, norms and gates too."""
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.add_(0.1 * noise)
    return model.eval()


def siglip(path: Path, *, whole: bool = True, **changes: Any) -> Any:
    vision = {**VISION, **changes}
    if not whole:
        model = _drawn(SiglipVisionModel(SiglipVisionConfig(**vision)))
        model.save_pretrained(path)
        return model
    model = _drawn(SiglipModel(SiglipConfig(vision_config=vision, text_config=_TEXT)))
    model.save_pretrained(path)
    return model.vision_model


def old_siglip(path: Path) -> Any:
    """A vision-only directory as transformers 4 wrote it, with the buffer of older ones."""
    model = siglip(path, whole=False)
    file = path / "model.safetensors"
    tensors = {f"vision_model.{name}": t for name, t in load_file(file).items()}
    tensors["vision_model.embeddings.position_ids"] = torch.arange(16)[None]
    save_file(tensors, file, metadata={"format": "pt"})
    return model


def clip(path: Path) -> Any:
    model = _drawn(CLIPModel(CLIPConfig(vision_config=VISION, text_config=_TEXT)))
    model.save_pretrained(path)
    return model.vision_model


def dinov2(path: Path, *, classifier: bool = False, shard: str = "5GB") -> Any:
    config = Dinov2Config(**{key: VISION[key] for key in VISION if key != "intermediate_size"})
    model = _drawn((Dinov2ForImageClassification if classifier else Dinov2Model)(config))
    model.save_pretrained(path, max_shard_size=shard)
    return model.dinov2 if classifier else model


def llama(path: Path, *, tied: bool, rope: dict[str, Any], shard: str = "5GB", **more: Any) -> Any:
    config = LlamaConfig(
        **{**LLAMA, **more}, tie_word_embeddings=tied, rope_parameters=dict(rope), head_dim=8
    )
    model = _drawn(LlamaForCausalLM(config))
    model.save_pretrained(path, max_shard_size=shard)
    return model


def with_old_rope_keys(path: Path) -> None:
    """As transformers 4 wrote them."""
    file = path / "config.json"
    config = json.loads(file.read_text())
    rope = config.pop("rope_parameters")
    config["rope_theta"] = rope.pop("rope_theta")
    config["rope_scaling"] = rope
    file.write_text(json.dumps(config))


def qwen3(path: Path, *, tied: bool = True) -> Any:
    config = Qwen3Config(
        **LLAMA, head_dim=8, tie_word_embeddings=tied, rope_parameters=dict(PLAIN_ROPE)
    )
    model = _drawn(Qwen3ForCausalLM(config))
    model.save_pretrained(path)
    return model


def perception_lm(path: Path) -> Any:
    args = {"embed_dim": 32, "depth": 2, "num_heads": 2, "img_size": [56, 56]}
    args |= {"ref_feat_shape": [4, 4], "global_pool": "", "use_post_transformer_norm": False}
    config = PerceptionLMConfig(
        vision_config={
            "architecture": "vit_pe_core_large_patch14_336",
            "model_args": {**args, "init_values": 0.1},
            "do_pooling": True,
            "num_labels": 0,
            "global_pool": "map",
        },
        text_config={
            **LLAMA,
            "model_type": "llama",
            "head_dim": 8,
            "tie_word_embeddings": True,
            "rope_parameters": dict(PLAIN_ROPE),
        },
        vision_use_cls_token=True,
        projector_pooling_ratio=2,
        image_token_id=298,
        video_token_id=299,
    )
    model = _drawn(PerceptionLMForConditionalGeneration(config))
    model.save_pretrained(path)
    return model


def timm_directory(path: Path, name: str, args: dict[str, Any]) -> nn.Module:
    """As timm pushes a model to the hub."""
    model: nn.Module = _drawn(timm.create_model(name, **args))
    from timm.models._hub import save_for_hf

    save_for_hf(model, str(path), model_args=dict(args), safe_serialization=True)
    return model


def timm_file(path: Path, name: str, args: dict[str, Any]) -> nn.Module:
    """Tensors alone: nothing says of which model."""
    model: nn.Module = _drawn(timm.create_model(name, **args))
    save_file({name: t.contiguous() for name, t in model.state_dict().items()}, path)
    return model
