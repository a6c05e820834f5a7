"""Small PerceptionLMs as transformers publishes them, with weights wide enough to show a slip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor, nn
from transformers import PerceptionLMConfig, PerceptionLMForConditionalGeneration

IMAGE_ID, VIDEO_ID = 58, 59
WORDS = 58
TILE = 56
ROPE = {"low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 256}


@dataclass(frozen=True)
class Size:
    """What the published configurations differ in."""

    class_token: bool = True
    tied: bool = True
    rope_factor: float = 8.0
    pool: int = 2

    @property
    def tokens_per_tile(self) -> int:
        return (TILE // 14 // self.pool) ** 2

    def __str__(self) -> str:
        return (
            f"{'class' if self.class_token else 'no_class'}-{'tied' if self.tied else 'untied'}-"
            f"rope{self.rope_factor:g}-pool{self.pool}"
        )


def small_config(size: Size = Size(), **text: Any) -> PerceptionLMConfig:
    """Two layers in each half; 4x4 patches a tile."""
    rope: dict[str, Any] = {"rope_type": "default", "rope_theta": 10000.0}
    if size.rope_factor != 1:
        rope |= {"rope_type": "llama3", "factor": size.rope_factor, **ROPE}
    # the names the published files have: PE-core, with what makes it PE-lang as arguments
    large = "vit_pe_core_large_patch14_336"
    return PerceptionLMConfig(
        vision_config={
            "model_type": "timm_wrapper",
            "architecture": large if size.class_token else "vit_pe_core_gigantic_patch14_448",
            "do_pooling": True,
            "global_pool": "map",
            "model_args": {
                "embed_dim": 32, "depth": 2, "num_heads": 2, "img_size": [TILE, TILE],
                "global_pool": "", "use_post_transformer_norm": False, "init_values": 0.1,
                "ref_feat_shape": [4, 4],
            },
        },
        text_config={
            "model_type": "llama", "hidden_size": 32, "num_hidden_layers": 2, "vocab_size": 64,
            "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 48,
            "rms_norm_eps": 1e-5, "rope_parameters": rope, "tie_word_embeddings": size.tied,
            "bos_token_id": None, "eos_token_id": None, **text,
        },
        projector_pooling_ratio=size.pool,
        image_token_id=IMAGE_ID,
        video_token_id=VIDEO_ID,
        vision_use_cls_token=size.class_token,
    )  # fmt: skip


def small_hf(size: Size = Size(), *, seed: int = 0, **text: Any) -> Any:
    """The model with random weights, in eval mode."""
    model = PerceptionLMForConditionalGeneration(small_config(size, **text)).eval()
    draw(model, Generator().manual_seed(seed))
    return model


@torch.no_grad()
def draw(model: nn.Module, generator: Generator) -> None:
    """Weights, gains and biases that all count: none is zero, one, or tiny."""
    for name, parameter in model.named_parameters():
        if parameter.dim() == 1:
            mean = 1.0 if "norm" in name and name.endswith("weight") else 0.0
            parameter.normal_(0.5 if "gamma" in name else mean, 0.2, generator=generator)
        elif name.endswith(("cls_token", "pos_embed", "embed_tokens.weight")):
            parameter.normal_(0.0, 0.5, generator=generator)
        else:
            parameter.normal_(0.0, parameter[0].numel() ** -0.5, generator=generator)


def save_small(directory: Path, size: Size = Size(), *, seed: int = 0, **text: Any) -> Any:
    """Writes the directory; returns transformers' model."""
    model = small_hf(size, seed=seed, **text)
    model.save_pretrained(directory)
    return model


# what stands in a row: a number of words, or a medium with its number of tiles
Row = Sequence[int | tuple[str, int]]

ROWS: dict[str, Row] = {
    "text": [9],
    "one tile": [3, ("image", 1), 4],
    "thumbnail and tiles": [2, ("image", 3), 5],
    "several images": [1, ("image", 1), 3, ("image", 2), 2],
    "video": [2, ("video", 4), 3],
    "an image and a video": [("image", 1), 1, ("video", 2), 3],
}


@dataclass(frozen=True)
class Inputs:
    """One batch, as both models take it.

    Args:
        input_ids: ``(B, L)``.
        attention_mask: ``(B, L)``.
        tiles: ``(T, 3, S, S)`` in order of appearance.
        is_video: ``(T,)``: which of the tiles are frames.
    """

    input_ids: Tensor
    attention_mask: Tensor
    tiles: Tensor
    is_video: Tensor

    def for_transformers(self) -> dict[str, Tensor]:
        given = {"input_ids": self.input_ids, "attention_mask": self.attention_mask}
        images, frames = self.tiles[~self.is_video], self.tiles[self.is_video]
        if len(images):
            given["pixel_values"] = images[:, None]
        if len(frames):
            given["pixel_values_videos"] = frames[None]
        return given

    def for_us(self) -> dict[str, Any]:
        given = {"input_ids": self.input_ids, "attention_mask": self.attention_mask}
        return given | ({"pixel_values": self.tiles} if len(self.tiles) else {})


def inputs_of(rows: Sequence[Row], size: Size, *, side: str = "right", seed: int = 0) -> Inputs:
    """Random words and tiles; rows padded on one side."""
    generator = Generator().manual_seed(seed)
    sequences, kinds = [], []
    for row in rows:
        parts = []
        for item in row:
            if isinstance(item, int):
                parts.append(torch.randint(0, WORDS, (item,), generator=generator))
                continue
            kind, tiles = item
            kinds += [kind == "video"] * tiles
            media_id = VIDEO_ID if kind == "video" else IMAGE_ID
            parts.append(torch.full((tiles * size.tokens_per_tile,), media_id))
        sequences.append(torch.cat(parts))
    ids, mask = (
        nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_side=side)
        for rows in (sequences, [torch.ones_like(one) for one in sequences])
    )
    tiles = torch.randn(len(kinds), 3, TILE, TILE, generator=generator)
    return Inputs(ids, mask, tiles, torch.tensor(kinds, dtype=torch.bool))


@torch.no_grad()
def both_logits(theirs: Any, ours: nn.Module, inputs: Inputs) -> tuple[Tensor, Tensor]:
    """``(N, V)`` of transformers and of ours, at every real position."""
    real = inputs.attention_mask.bool()
    expected = theirs(**inputs.for_transformers()).logits[real]
    found = ours(**inputs.for_us())[real]
    return expected, found


# as the reference names what transformers and timm name otherwise
RENAMED = [
    ("model.vision_tower.timm_model.", "vision_model."),
    ("patch_embed.proj.weight", "conv1.weight"),
    ("cls_token", "class_embedding"),
    ("pos_embed", "positional_embedding"),
    ("norm_pre.", "ln_pre."),
    ("vision_model.blocks.", "vision_model.transformer.resblocks."),
    (".norm1.", ".ln_1."),
    (".norm2.", ".ln_2."),
    ("attn.qkv.", "attn.in_proj_"),
    ("attn.proj.", "attn.out_proj."),
    (".gamma_1", ".ls_1.gamma"),
    (".gamma_2", ".ls_2.gamma"),
    ("mlp.fc1.", "mlp.c_fc."),
    ("mlp.fc2.", "mlp.c_proj."),
    ("model.multi_modal_projector.linear_1.", "vision_projector.projector.0."),
    ("model.multi_modal_projector.linear_2.", "vision_projector.projector.2."),
    ("model.language_model.", ""),
    ("lm_head.", "output."),
    ("embed_tokens.", "tok_embeddings."),
    ("self_attn.q_proj", "attention.wq"),
    ("self_attn.k_proj", "attention.wk"),
    ("self_attn.v_proj", "attention.wv"),
    ("self_attn.o_proj", "attention.wo"),
    ("mlp.gate_proj", "feed_forward.w1"),
    ("mlp.up_proj", "feed_forward.w3"),
    ("mlp.down_proj", "feed_forward.w2"),
    ("input_layernorm", "attention_norm"),
    ("post_attention_layernorm", "ffn_norm"),
]


def original_name(name: str) -> str:
    """The reference's name of a tensor of transformers."""
    for theirs, original in RENAMED:
        name = name.replace(theirs, original)
    return name
