"""A directory as transformers saves it, asked by transformers and by us: the same logits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import (
    AutoModelForImageTextToText,
    AutoProcessor,
    PerceptionLMImageProcessor,
    PerceptionLMProcessor,
    PerceptionLMVideoProcessor,
    PreTrainedTokenizerFast,
)

import plm_components as plm
from plm_components.assembly import UnfitError
from plm_components.video_readers.pyav import PyAVReader
from published import TILE, small_hf
from published_files import CHAT_TEMPLATE, SPECIALS, write_byte_tokenizer

AS_TRANSFORMERS = [
    "processor.layout=hf",
    "image_tiler.resize=torchvision",
    "frame_transform.resize=torchvision",
]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Model, tokenizer and processor, by ``save_pretrained`` alone."""
    files = write_byte_tokenizer(tmp_path_factory.mktemp("tokenizer"))
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(files / "tokenizer.json"),
        bos_token="<|begin_of_text|>",
        eos_token="<|eot_id|>",
        pad_token="<|end_of_text|>",
        extra_special_tokens={"image_token": "<|image|>", "video_token": "<|video|>"},
    )
    size = {"height": TILE, "width": TILE}
    path = tmp_path_factory.mktemp("hf")
    PerceptionLMProcessor(
        image_processor=PerceptionLMImageProcessor(tile_size=TILE, max_num_tiles=4, size=size),
        video_processor=PerceptionLMVideoProcessor(size=size, num_frames=4),
        tokenizer=tokenizer,
        chat_template=CHAT_TEMPLATE,
        patch_size=14,
        pooling_ratio=2,
    ).save_pretrained(path)
    model = small_hf(vocab_size=257 + len(SPECIALS), max_position_embeddings=1024)
    model.config.image_token_id = tokenizer.convert_tokens_to_ids("<|image|>")
    model.config.video_token_id = tokenizer.convert_tokens_to_ids("<|video|>")
    model.save_pretrained(path)
    return path


def picture(seed: int, size: tuple[int, int]) -> Image.Image:
    noise = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(noise)


def asked(*media: dict[str, object]) -> list[dict[str, Any]]:
    return [{"role": "user", "content": [*media, {"type": "text", "text": " And then? "}]}]


SEVERAL = asked(
    {"type": "text", "text": "In "},
    {"type": "image", "image": picture(0, (80, 50))},
    {"type": "text", "text": " and "},
    {"type": "image", "image": picture(1, (90, 60))},
)


def by_transformers(directory: Path, conversation: list[dict[str, Any]], **media: Any) -> Any:
    """Ids, and logits at every position, in fp32."""
    processor = AutoProcessor.from_pretrained(directory)
    model = AutoModelForImageTextToText.from_pretrained(directory, dtype=torch.float32).eval()
    prompt = processor.apply_chat_template(conversation, add_generation_prompt=True, tokenize=False)
    given = processor(text=[prompt], add_special_tokens=False, return_tensors="pt", **media)
    with torch.no_grad():
        return given["input_ids"], model(**given).logits


def by_us(variant: plm.Variant, conversation: list[dict[str, Any]]) -> Any:
    batch = variant.processor(conversation)
    with torch.no_grad():
        return batch.input_ids_BL, variant.model(
            batch.input_ids_BL, batch.pixel_values, batch.attention_mask_BL
        )


def assert_same(found: Any, expected: Any) -> None:
    assert torch.equal(found[0], expected[0])
    scale = expected[1].abs().max().item()
    torch.testing.assert_close(found[1], expected[1], atol=2e-5 * scale, rtol=0)


def test_several_images_as_transformers_is_asked_about_them(directory: Path) -> None:
    images = [part["image"] for part in SEVERAL[0]["content"] if part["type"] == "image"]
    variant = plm.load(directory, overrides=AS_TRANSFORMERS)
    assert_same(by_us(variant, SEVERAL), by_transformers(directory, SEVERAL, images=images))


def test_a_video_as_transformers_is_asked_about_its_frames(
    directory: Path, write_video: Callable[..., Path]
) -> None:
    video = write_video(count=24)
    conversation = asked({"type": "video", "video": video})
    variant = plm.load(directory, overrides=AS_TRANSFORMERS)
    [span] = variant.processor(conversation).media
    frames = PyAVReader().read(video, list(span.frame_indices))
    expected = by_transformers(directory, conversation, videos=[frames])
    assert_same(by_us(variant, conversation), expected)


def test_without_overrides_it_is_asked_as_the_reference_asks(directory: Path) -> None:
    variant = plm.load(directory)
    first, second = variant.processor(SEVERAL).media
    assert (first.num_tiles, second.num_tiles) == (1, 1)
    assert second.start - first.start == 4 + len(" and ")
    assert variant.processor.layout == "reference"


def test_overrides_stay_with_what_is_saved(directory: Path, tmp_path: Path) -> None:
    variant = plm.load(directory, overrides=AS_TRANSFORMERS)
    variant.save(tmp_path / "mine")
    again = plm.load(tmp_path / "mine")
    assert again.spec["processor"] == {"layout": "hf"}
    expected = by_us(variant, SEVERAL)
    assert all(torch.equal(a, b) for a, b in zip(by_us(again, SEVERAL), expected, strict=True))
    back = plm.load(tmp_path / "mine", overrides=["processor.layout=reference"])
    assert [span.num_tiles for span in back.processor(SEVERAL).media] == [1, 1]


def test_overrides_that_do_not_fit_are_refused(directory: Path) -> None:
    with pytest.raises(UnfitError, match="image_tiler"):
        plm.load(directory, overrides=["image_tiler.max_tiles=400"])
