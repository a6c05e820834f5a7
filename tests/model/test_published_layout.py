"""Records to ids, labels and lengths, against the published layout spelt out as text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from PIL import Image
from transformers import PreTrainedTokenizerFast

from plm_components.errors import TokenizerError
from plm_components.frame_transforms.plm_frames import PLMFramesTransform
from plm_components.image_tilers.plm_tiles import PLMTilesTiler
from plm_components.model.conversation import messages_from_record
from plm_components.model.processor import Processor
from plm_components.tokenizers.hf import HFTokenizer
from plm_components.tokenizers.templates import PLM_SYSTEM_PROMPT
from plm_components.video_readers.pyav import PyAVReader
from plm_components.video_samplers.plm_uniform import PLMUniformSampler
from published_files import write_byte_tokenizer

SIDE, PER_TILE = 56, 4
# text of one message, and whether a loss counts it
Message: TypeAlias = tuple[str, bool]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = write_byte_tokenizer(tmp_path_factory.mktemp("plm"))
    for number, name in enumerate(("a.png", "b.png")):
        Image.new("RGB", (SIDE, SIDE), (60 * number, 90, 30)).save(path / name)
    return path


@pytest.fixture(scope="module")
def encode(directory: Path) -> Callable[[str], list[int]]:
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(directory / "tokenizer.json"))
    return lambda text: list(tokenizer.encode(text, add_special_tokens=False))


def build(directory: Path, **options: Any) -> Processor:
    return Processor(
        HFTokenizer(path=str(directory), **options),
        tokens_per_tile=PER_TILE,
        mean=(0.5, 0.5, 0.5),
        std=(0.5, 0.5, 0.5),
        # a small image takes the largest canvas: 2 x 2 tiles behind the thumbnail
        image_tiler=PLMTilesTiler(SIDE, max_tiles=4),
        frame_transform=PLMFramesTransform(SIDE),
        video_sampler=PLMUniformSampler(max_frames=3),
        video_reader=PyAVReader(),
    )


def talk(*texts: str) -> list[dict[str, str]]:
    return [{"from": ("human", "assistant")[n % 2], "value": t} for n, t in enumerate(texts)]


def message(role: str, text: str) -> Message:
    head = f"<|start_header_id|>{role}<|end_header_id|>\n\n"
    return head + text + "<|eot_id|>", role == "assistant"


def tiles(count: int) -> str:
    return "<|image|>" * (PER_TILE * count)


BEGIN = ("<|begin_of_text|>", False)
SYSTEM = message("system", PLM_SYSTEM_PROMPT)
END = ("<|end_of_text|>", True)

RECORDS: dict[str, tuple[dict[str, Any], list[Message]]] = {
    "image, two turns": (
        {"image": "a.png", "conversations": talk("<image>\nWhat?", "Red.", "And?", "Blue.")},
        [message("user", tiles(5) + "What?"), message("assistant", "Red."),
         message("user", "And?"), message("assistant", "Blue.")],
    ),
    "a list of one image is tiled": (
        {"image": ["a.png"], "conversations": talk("<image>What?", "Red.")},
        [message("user", tiles(5) + "What?"), message("assistant", "Red.")],
    ),
    "several images, in place, one tile each": (
        {"image": ["a.png", "b.png", "a.png"],
         "conversations": talk("In <image> and <image>?", "No.", "Or\n<image>", "Yes.")},
        [message("user", f"In {tiles(1)} and {tiles(1)}?"), message("assistant", "No."),
         message("user", f"Or\n{tiles(1)}"), message("assistant", "Yes.")],
    ),
    "video, written as images are": (
        {"video": "clip.mp4", "conversations": talk("<video>\nWhat moves?", "It.")},
        [message("user", tiles(3) + "What moves?"), message("assistant", "It.")],
    ),
    "words alone": (
        {"conversations": talk("Say <image>.", "<image>")},
        [message("user", "Say <image>."), message("assistant", "<image>")],
    ),
    "nothing behind the last answer": (
        {"conversations": talk("What?", "Red.", "And?")},
        [message("user", "What?"), message("assistant", "Red.")],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", RECORDS)
def test_ids_and_labels(
    name: str,
    directory: Path,
    encode: Callable[[str], list[int]],
    write_video: Callable[..., Path],
) -> None:
    record, said = RECORDS[name]
    if "video" in record:
        record = {**record, "video": str(write_video(count=30))}
    batch = build(directory)(messages_from_record(record, root=directory), generation_prompt=False)
    pieces = [(encode(text), counted) for text, counted in (BEGIN, SYSTEM, *said, END)]
    assert batch.input_ids_BL[0].tolist() == [token for ids, _ in pieces for token in ids]
    assert batch.labels_BL[0].tolist() == [
        token if counted else -100 for ids, counted in pieces for token in ids
    ]


def test_a_prompt_ends_behind_the_assistants_header(
    directory: Path, encode: Callable[[str], list[int]]
) -> None:
    record, said = RECORDS["image, two turns"]
    messages = messages_from_record(record, root=directory)
    text = BEGIN[0] + SYSTEM[0] + "".join(one for one, _ in said[:3])
    text += "<|start_header_id|>assistant<|end_header_id|>\n\n"
    assert build(directory)(messages[:3]).input_ids_BL[0].tolist() == encode(text)


def test_the_warmup_record_is_media_and_caption(
    directory: Path, encode: Callable[[str], list[int]]
) -> None:
    messages = messages_from_record({"image": "a.png", "text": "A cat."}, root=directory)
    batch = build(directory, template="warmup")(messages, generation_prompt=False)
    media, caption = encode(tiles(5)), encode("A cat.\n")
    assert batch.input_ids_BL[0].tolist() == media + caption
    assert batch.labels_BL[0].tolist() == [-100] * len(media) + caption


def test_a_caption_alone_labels_its_first_token_and_no_padding(
    directory: Path, encode: Callable[[str], list[int]]
) -> None:
    """The published code writes this label to the last position of the padding."""
    rows = [messages_from_record({"text": text}) for text in ("A cat.", "A longer caption.")]
    batch = build(directory, template="warmup")(rows, generation_prompt=False)
    caption = encode("A cat.\n")
    rest = batch.labels_BL.shape[1] - len(caption)
    assert batch.labels_BL[0].tolist() == caption + [-100] * rest


def kept_by_the_published_rule(lengths: list[int], limit: int) -> int:
    """How many messages stay: room for the end of text is kept, and one lost loses all behind."""
    so_far = 0
    for number, length in enumerate(lengths):
        if so_far + length + 1 > limit:
            return number
        so_far += length
    return len(lengths)


def test_max_length_follows_the_published_rule_and_never_ends_without_an_answer(
    directory: Path, encode: Callable[[str], list[int]]
) -> None:
    texts = ("What?", "Red.", "Is the circle red?", "It is blue.", "?", "Y", "Where is it?", "Left")
    messages = messages_from_record({"conversations": talk(*texts)})
    said = [message(("user", "assistant")[n % 2], text) for n, text in enumerate(texts)]
    ids = [encode(text) for text, _ in said]
    ids[0] = encode(BEGIN[0]) + ids[0]
    processor = build(directory, system_prompt="")
    for limit in range(1, sum(map(len, ids)) + 3):
        kept = kept_by_the_published_rule([len(one) for one in ids], limit)
        # a user turn whose answer was cut goes with it, and so does a sample without an answer
        kept -= kept % 2
        if kept == 0:
            with pytest.raises(TokenizerError, match="The first answer and what precedes it"):
                processor(messages, generation_prompt=False, max_length=limit)
            continue
        batch = processor(messages, generation_prompt=False, max_length=limit)
        expected = [token for one in ids[:kept] for token in one] + encode(END[0])
        assert batch.input_ids_BL[0].tolist() == expected
        assert (batch.labels_BL[0] >= 0).any()
