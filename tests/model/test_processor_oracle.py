"""The whole batch, against transformers' PerceptionLM processor."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast
from transformers.models.perception_lm.image_processing_perception_lm import (
    PerceptionLMImageProcessor,
)
from transformers.models.perception_lm.processing_perception_lm import PerceptionLMProcessor
from transformers.models.perception_lm.video_processing_perception_lm import (
    PerceptionLMVideoProcessor,
)

from plm_components.image_tilers.plm_tiles import PLMTilesTiler
from plm_components.model.processor import Processor
from plm_components.tokenizers.hf import HFTokenizer

SIDE, PATCH, POOL, MOST_TILES = 56, 14, 2, 6
SPECIALS = [
    "<|begin_of_text|>", "<|end_of_text|>", "<|image|>", "<|video|>", "<|start_header_id|>",
    "<|end_header_id|>", "<|eot_id|>",
]  # fmt: skip
# as published: media before the text of a turn
TEMPLATE = """{{- bos_token }}{%- for m in messages %}
{{- '<|start_header_id|>' + m.role + '<|end_header_id|>\n\n' }}
{%- for p in m.content if p.type == 'image' %}{{ '<|image|>' }}{% endfor %}
{%- for p in m.content if p.type == 'text' %}{{ p.text | trim }}{% endfor %}
{{- '<|eot_id|>' }}{%- endfor %}
{%- if add_generation_prompt %}
{{- '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{%- endif %}"""


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocab = {letter: number for number, letter in enumerate(letters)} | {"ĊĊ": len(letters)}
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=[("Ċ", "Ċ")]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(one, normalized=False) for one in SPECIALS])
    path = tmp_path_factory.mktemp("plm")
    tokenizer.save(str(path / "tokenizer.json"))
    config = {"eos_token": "<|eot_id|>", "pad_token": "<|end_of_text|>"}
    (path / "tokenizer_config.json").write_text(json.dumps(config))
    return path


@pytest.fixture(scope="module")
def theirs(directory: Path) -> PerceptionLMProcessor:
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(directory / "tokenizer.json"),
        bos_token="<|begin_of_text|>",
        pad_token="<|end_of_text|>",
        extra_special_tokens={"image_token": "<|image|>", "video_token": "<|video|>"},
        padding_side="right",
    )
    return PerceptionLMProcessor(
        video_processor=PerceptionLMVideoProcessor(size={"height": SIDE, "width": SIDE}),
        image_processor=PerceptionLMImageProcessor(tile_size=SIDE, max_num_tiles=MOST_TILES),
        tokenizer=tokenizer,
        chat_template=TEMPLATE,
        patch_size=PATCH,
        pooling_ratio=POOL,
    )


@pytest.fixture(scope="module")
def ours(directory: Path) -> Processor:
    return Processor(
        HFTokenizer(path=str(directory), system_prompt=""),
        tokens_per_tile=(SIDE // PATCH // POOL) ** 2,
        mean=(0.5, 0.5, 0.5),
        std=(0.5, 0.5, 0.5),
        image_tiler=PLMTilesTiler(SIDE, max_tiles=MOST_TILES),
    )


def smooth(seed: int, size: tuple[int, int]) -> Image.Image:
    small = np.random.default_rng(seed).integers(0, 256, (5, 5, 3), dtype=np.uint8)
    return Image.fromarray(small).resize(size, Image.Resampling.BICUBIC)


def ask(image: Image.Image, text: str) -> list[dict[str, object]]:
    content = [{"type": "image", "image": image}, {"type": "text", "text": text}]
    return [{"role": "user", "content": content}]


@pytest.mark.parametrize("sizes", [[(80, 50)], [(300, 40), (31, 200)]])
def test_ids_mask_and_pixels(
    sizes: list[tuple[int, int]], ours: Processor, theirs: PerceptionLMProcessor
) -> None:
    images = [smooth(seed, size) for seed, size in enumerate(sizes)]
    questions = ["What moves?", "And what is the colour of the other one?"]
    rows = [ask(image, text) for image, text in zip(images, questions, strict=False)]
    batch = ours(rows)
    text = theirs.apply_chat_template(rows, add_generation_prompt=True, tokenize=False)
    for number, (row, image) in enumerate(zip(text, images, strict=True)):
        expected = theirs(text=[row], images=[image], return_tensors="pt", add_special_tokens=False)
        length = int(batch.attention_mask_BL[number].sum())
        assert batch.input_ids_BL[number, :length].tolist() == expected["input_ids"][0].tolist()
        span = batch.media[number]
        tiles = batch.pixel_values[span.first_tile : span.first_tile + span.num_tiles]
        # PIL's bicubic against torchvision's on uint8: two grey levels, here and there
        error = (tiles - expected["pixel_values"][0]).abs() * 255 / 2
        assert error.max() <= 2.01
        assert (error > 0.5).float().mean() < 0.03
