"""The whole batch, against transformers' PerceptionLM processor."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, get_args

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from transformers import PreTrainedTokenizerFast
from transformers.models.perception_lm.image_processing_perception_lm import (
    PerceptionLMImageProcessor,
)
from transformers.models.perception_lm.processing_perception_lm import PerceptionLMProcessor
from transformers.models.perception_lm.video_processing_perception_lm import (
    PerceptionLMVideoProcessor,
)

from plm_components.contracts import Batch, MediaLayout
from plm_components.frame_transforms.plm_frames import PLMFramesTransform
from plm_components.image_tilers.plm_tiles import PLMTilesTiler
from plm_components.model.processor import Processor
from plm_components.tokenizers.hf import HFTokenizer
from plm_components.video_readers.pyav import PyAVReader
from plm_components.video_samplers.plm_uniform import PLMUniformSampler
from published_files import CHAT_TEMPLATE, write_byte_tokenizer

Message: TypeAlias = dict[str, Any]

SIDE, PATCH, POOL, MOST_TILES = 56, 14, 2, 6


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_byte_tokenizer(tmp_path_factory.mktemp("plm"))


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
        chat_template=CHAT_TEMPLATE,
        patch_size=PATCH,
        pooling_ratio=POOL,
    )


def processor(directory: Path, layout: MediaLayout, *, exact: bool = True) -> Processor:
    """Ours over the same files; ``exact`` takes transformers' resizes, else the published ones."""
    return Processor(
        HFTokenizer(path=str(directory)),
        tokens_per_tile=(SIDE // PATCH // POOL) ** 2,
        mean=(0.5, 0.5, 0.5),
        std=(0.5, 0.5, 0.5),
        image_tiler=PLMTilesTiler(
            SIDE, max_tiles=MOST_TILES, resize="torchvision" if exact else "pil"
        ),
        frame_transform=PLMFramesTransform(SIDE, resize="torchvision" if exact else "fp32"),
        video_sampler=PLMUniformSampler(max_frames=4),
        video_reader=PyAVReader(),
        layout=layout,
    )


def smooth(seed: int, size: tuple[int, int]) -> Image.Image:
    small = np.random.default_rng(seed).integers(0, 256, (5, 5, 3), dtype=np.uint8)
    return Image.fromarray(small).resize(size, Image.Resampling.BICUBIC)


def image(seed: int, size: tuple[int, int]) -> dict[str, object]:
    return {"type": "image", "image": smooth(seed, size)}


def said(text: str) -> dict[str, object]:
    return {"type": "text", "text": text}


def turn(role: str, *parts: dict[str, object]) -> Message:
    return {"role": role, "content": list(parts)}


@dataclass
class Expected:
    """What transformers makes of a conversation."""

    input_ids: list[int]
    tiles_of_images: list[Tensor]
    frames_of_videos: list[Tensor]


def of_transformers(
    theirs: PerceptionLMProcessor, conversation: list[Message], batch: Batch
) -> Expected:
    """The frames that were sampled here, since transformers chooses others."""
    prompt = theirs.apply_chat_template(conversation, add_generation_prompt=True, tokenize=False)
    parts = [p for m in conversation if isinstance(m["content"], list) for p in m["content"]]
    images = [part["image"] for part in parts if part["type"] == "image"]
    videos = [part["video"] for part in parts if part["type"] == "video"]
    sampled = [list(span.frame_indices) for span in batch.media if span.kind == "video"]
    frames = [
        PyAVReader().read(video, indices) for video, indices in zip(videos, sampled, strict=True)
    ]
    found = theirs(
        text=[prompt],
        images=images or None,
        videos=frames or None,
        add_special_tokens=False,
    )
    return Expected(
        list(found["input_ids"][0]),
        list(found.get("pixel_values", [])),
        list(found.get("pixel_values_videos", [])),
    )


CONVERSATIONS = {
    "one image": [turn("user", image(0, (80, 50)), said("What moves?"))],
    "an image behind its question": [turn("user", said(" What moves?\n"), image(0, (31, 200)))],
    "several images among texts": [
        turn("user", said("In "), image(0, (80, 50)), said(" and "), image(1, (300, 40)), said("?"))
    ],
    "images of two turns": [
        {"role": "system", "content": " Be brief. "},
        turn("user", image(0, (80, 50)), said("What moves?")),
        turn("assistant", said(" The red circle.\n")),
        turn("user", said("And here?"), image(1, (31, 200))),
    ],
    "a video": [turn("user", said("What moves in "), {"type": "video"}, said("?"))],
    "a video before an image": [
        turn("user", {"type": "video"}, said("as in\t"), image(2, (60, 60)), said("?"))
    ],
    "two videos and no question": [turn("user", {"type": "video"}, {"type": "video"})],
    "words alone": [turn("user", said("  What moves?  "))],
}


@pytest.fixture(params=CONVERSATIONS)
def conversation(request: pytest.FixtureRequest, write_video: Callable[..., Path]) -> list[Message]:
    written = deepcopy(CONVERSATIONS[request.param])
    for number, message in enumerate(written):
        for place, part in enumerate(message["content"]):
            if isinstance(part, dict) and part["type"] == "video":
                part["video"] = write_video(f"{number}-{place}.mp4", count=12 + 3 * place)
    return written


def test_layout_hf_is_transformers_ids_placement_tiles_and_frames(
    conversation: list[Message], directory: Path, theirs: PerceptionLMProcessor
) -> None:
    batch = processor(directory, "hf")(conversation)
    expected = of_transformers(theirs, conversation, batch)
    assert batch.input_ids_BL[0].tolist() == expected.input_ids
    wanted = {"image": iter(expected.tiles_of_images), "video": iter(expected.frames_of_videos)}
    for span in batch.media:
        tiles = batch.pixel_values[span.first_tile : span.first_tile + span.num_tiles]
        # the same uint8 pixels; normalised in one step there and in two here
        torch.testing.assert_close(tiles, next(wanted[span.kind]), atol=1e-6, rtol=0)
    assert [next(rest, None) for rest in wanted.values()] == [None, None]


def test_videos_are_written_with_the_layouts_token(
    directory: Path, write_video: Callable[..., Path]
) -> None:
    tokenizer = HFTokenizer(path=str(directory))
    image_id, video_id = tokenizer.image_token_id, tokenizer.video_token_id
    assert video_id == image_id + 1
    asked = [turn("user", {"type": "video", "video": write_video(count=12)}, said("?"))]
    counts = {}
    for layout in get_args(MediaLayout):
        ids = processor(directory, layout)(asked).input_ids_BL[0].tolist()
        counts[layout] = (ids.count(image_id), ids.count(video_id))
    assert counts == {"reference": (16, 0), "hf": (0, 16)}


def test_the_layouts_agree_on_one_image_before_one_question(
    directory: Path, theirs: PerceptionLMProcessor
) -> None:
    asked = [turn("user", image(0, (80, 50)), said("What moves?"))]
    reference = processor(directory, "reference", exact=False)(asked)
    expected = of_transformers(theirs, asked, reference)
    assert reference.input_ids_BL[0].tolist() == expected.input_ids
    # PIL's bicubic against torchvision's on uint8: two grey levels, here and there
    error = (reference.pixel_values - expected.tiles_of_images[0]).abs() * 255 / 2
    assert error.max() <= 2.01
    assert (error > 0.5).float().mean() < 0.01


def test_a_batch_in_layout_hf_is_each_conversation_alone(directory: Path) -> None:
    rows = [CONVERSATIONS["several images among texts"], CONVERSATIONS["words alone"]]
    together = processor(directory, "hf")(rows)
    for number, row in enumerate(rows):
        alone = processor(directory, "hf")(row).input_ids_BL[0]
        assert torch.equal(together.input_ids_BL[number, : len(alone)], alone)
