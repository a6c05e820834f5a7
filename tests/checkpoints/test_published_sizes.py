"""The three published sizes on meta: every tensor's name and shape, in each of the formats."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import PerceptionLMConfig, PerceptionLMForConditionalGeneration

import plm_components as plm
from plm_components.checkpoints import (
    hf_keys,
    original_changes,
    original_keys,
    plm_sizes,
    read_published,
)
from plm_components.spec import resolve
from published import original_name

STRETCH = {
    "rope_type": "llama3", "factor": 32.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
}  # fmt: skip
# name: tower, width, layers, heads, key/value heads, feed-forward, head size, tied, tensors
PUBLISHED: dict[str, tuple[Any, ...]] = {
    "plm-1b": ("large", 2048, 16, 32, 8192, 64, True, 477),
    "plm-3b": ("large", 3072, 28, 24, 8192, 128, True, 585),
    "plm-8b": ("gigantic", 4096, 32, 32, 14336, 128, False, 957),
}
TOWERS: dict[str, tuple[str, dict[str, Any]]] = {
    "large": ("vit_pe_core_large_patch14_336", {"embed_dim": 1024, "depth": 23}),
    "gigantic": ("vit_pe_core_gigantic_patch14_448", {"embed_dim": 1536, "depth": 47}),
}


def published_config(name: str) -> PerceptionLMConfig:
    tower, dim, layers, heads, ffn, head_dim, tied, _ = PUBLISHED[name]
    architecture, sizes = TOWERS[tower]
    rope = {"rope_theta": 500000.0, **(STRETCH if tied else {"rope_type": "default"})}
    return PerceptionLMConfig(
        vision_config={
            "model_type": "timm_wrapper",
            "architecture": architecture,
            "do_pooling": True,
            "global_pool": "map",
            "model_args": {
                **sizes, "img_size": [448, 448], "global_pool": "", "init_values": 0.1,
                "use_post_transformer_norm": False, "ref_feat_shape": [32, 32],
            },
        },
        text_config={
            "model_type": "llama", "hidden_size": dim, "intermediate_size": ffn,
            "num_hidden_layers": layers, "num_attention_heads": heads, "num_key_value_heads": 8,
            "head_dim": head_dim, "rms_norm_eps": 1e-5, "rope_parameters": rope,
            "max_position_embeddings": 11520, "vocab_size": 128256, "bos_token_id": 128000,
            "eos_token_id": [128001, 128009], "tie_word_embeddings": tied,
        },
        projector_pooling_ratio=2,
        vision_use_cls_token=tower == "large",
        dtype="bfloat16",
    )  # fmt: skip


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_tensor_has_its_published_name_and_shape(name: str) -> None:
    tied, tensors = PUBLISHED[name][-2:]
    with torch.device("meta"):
        theirs = PerceptionLMForConditionalGeneration(published_config(name))
    expected = {key: tuple(tensor.shape) for key, tensor in theirs.state_dict().items()}
    if tied:
        del expected["lm_head.weight"]
    model = plm.assemble(name, init="meta").model
    shapes = {key: tuple(tensor.shape) for key, tensor in model.state_dict().items()}
    assert len(shapes) == tensors
    sizes = plm_sizes(shapes, head_dim=PUBLISHED[name][5])
    names = hf_keys(sizes)
    assert {names[ours]: shape for ours, shape in shapes.items()} == expected
    originals, changes = original_keys(sizes), original_changes(sizes)
    assert {originals[ours] for ours in shapes} == set(map(original_name, expected))
    bare = {originals[ours]: changes[ours].inverse.shape(shapes[ours]) for ours in changes}
    assert bare["vision_model.positional_embedding"] == shapes["vision_encoder.pos_embed"][1:]


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_published_configuration_is_the_shipped_spec(name: str, tmp_path: Path) -> None:
    published_config(name).save_pretrained(tmp_path)
    published = read_published(tmp_path)
    assert published is not None
    assert (published.dtype, published.notes) == ("bfloat16", ())
    found, shipped = resolve(published.spec), resolve(name)
    assert found.media_token_ids == shipped.media_token_ids
    for slot, part in shipped.parts.items():
        same = found.parts[slot]
        assert part is not None
        assert same is not None
        assert same.entry.address == part.entry.address
        own = {"path", "template"} if slot == "tokenizer" else set()
        assert without(same.options, own) == without(part.options, own), slot
        for child, nested in part.children.items():
            assert same.children[child].options == nested.options, child


def without(options: dict[str, Any], names: set[str]) -> dict[str, Any]:
    return {key: value for key, value in options.items() if key not in names}
