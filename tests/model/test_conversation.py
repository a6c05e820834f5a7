from __future__ import annotations

from pathlib import Path

import pytest

from plm_components.errors import TokenizerError, UnsupportedError
from plm_components.model.conversation import messages_from_record
from plm_components.model.messages import parse_conversation


def talk(*texts: str) -> list[dict[str, str]]:
    speakers = ("human", "assistant")
    return [{"from": speakers[n % 2], "value": text} for n, text in enumerate(texts)]


def said(text: str) -> dict[str, str]:
    return {"type": "text", "text": text}


def image(path: str) -> dict[str, object]:
    return {"type": "image", "image": Path(path)}


def test_an_image_stands_first_and_its_placeholder_is_gone() -> None:
    record = {
        "image": "a/b.png",
        "conversations": talk("<image>\nWhat?", "Red.", "And\n<image>?", "X"),
    }
    messages = messages_from_record(record, root=Path("/data"))
    assert messages == [
        {"role": "user", "content": [image("/data/a/b.png"), said("What?")]},
        {"role": "assistant", "content": [said("Red.")]},
        # later turns lose theirs too
        {"role": "user", "content": [said("And?")]},
        {"role": "assistant", "content": [said("X")]},
    ]
    parse_conversation(messages)


def test_an_answer_keeps_its_text() -> None:
    messages = messages_from_record(
        {"image": "a", "conversations": talk("?", "Write <image> here")}
    )
    assert messages[1]["content"] == [said("Write <image> here")]


def test_a_list_of_one_image_is_one_image() -> None:
    record = {"image": ["a.png"], "conversations": talk("<image>What?", "Red.")}
    assert messages_from_record(record)[0]["content"] == [image("a.png"), said("What?")]


def test_several_images_replace_their_placeholders() -> None:
    record = {
        "image": ["a", "b", "c"],
        "conversations": talk("In <image> and <image>?", "<image> no", "And <image>", "Yes."),
    }
    messages = messages_from_record(record)
    assert messages[0]["content"] == [said("In "), image("a"), said(" and "), image("b"), said("?")]
    assert messages[1]["content"] == [said("<image> no")]
    assert messages[2]["content"] == [said("And "), image("c"), said("")]
    parse_conversation(messages)


def test_a_video_with_its_times() -> None:
    record = {
        "video": "v.mp4",
        "start_time": 2,
        "end_time": 5.5,
        "conversations": talk("<video>\nWhat?", "A"),
    }
    (video, text) = messages_from_record(record)[0]["content"]
    assert video == {
        "type": "video",
        "video": Path("v.mp4"),
        "start_s": 2,
        "end_s": 5.5,
        "clip_rule": "published",
    }
    assert text == said("What?")
    parse_conversation(messages_from_record(record))


def test_text_alone_keeps_every_letter() -> None:
    record = {"conversations": talk("Say <image>.", "<image>")}
    assert messages_from_record(record)[0]["content"] == [said("Say <image>.")]


def test_a_caption_answers_nothing_but_the_image() -> None:
    messages = messages_from_record({"image": "a.png", "text": "A cat."})
    assert messages == [
        {"role": "user", "content": [image("a.png"), said("")]},
        {"role": "assistant", "content": [said("A cat.")]},
    ]


@pytest.mark.parametrize(
    ("record", "what", "where"),
    [
        ({}, "The record says nothing.", "record"),
        ({"conversations": []}, "The record says nothing.", "record"),
        ({"conversations": [*talk("a"), {"from": "gpt", "value": "b"}]},
         "The entry {'from': 'gpt', 'value': 'b'} cannot be read.", "record.conversations[1]"),
        ({"conversations": [{"from": "human"}]}, "The entry {'from': 'human'} cannot be read.",
         "record.conversations[0]"),
        ({"conversations": talk("a", "b")[::-1]}, "The assistant speaks first.",
         "record.conversations[0]"),
        ({"image": ["a", "b"], "conversations": talk("<image>", "b")},
         "The human turns hold 1 <image>, and the record has 2 images.", "record"),
        ({"image": "a", "video": "b", "conversations": talk("a", "b")},
         "The record has both an image and a video.", "record"),
        ({"image": 3, "conversations": talk("a", "b")}, "3 is no path.", "record.image"),
    ],
)  # fmt: skip
def test_one_clear_error(record: dict[str, object], what: str, where: str) -> None:
    with pytest.raises(TokenizerError) as caught:
        messages_from_record(record)
    assert (caught.value.what, caught.value.where) == (what, where)


@pytest.mark.parametrize("key", ["bbox", "bbox_map"])
def test_regions_are_refused_not_dropped(key: str) -> None:
    with pytest.raises(UnsupportedError, match="Region boxes"):
        messages_from_record({"image": "a", key: [[1, 2, 3, 4]], "conversations": talk("a", "b")})
