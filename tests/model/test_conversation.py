from __future__ import annotations

from pathlib import Path

import pytest

from plm_components.errors import MediaError, TokenizerError
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


def test_boxes_of_a_video_stand_in_its_part() -> None:
    boxes = {"0": [1, 2, 30, 40], "12": None, "24": [0.5, 2, 3, 4]}
    record = {"video": "v.mp4", "bbox_map": boxes, "conversations": talk("Who?", "He.")}
    messages = messages_from_record(record)

    video = messages[0]["content"][0]
    assert video["boxes"] == {0: (1.0, 2.0, 30.0, 40.0), 24: (0.5, 2.0, 3.0, 4.0)}
    parse_conversation(messages)


REGIONS = {"image": "a.png", "bbox": [[10, 20, 100, 50], [0, 0, 640, 480]]}
SIZE = {"width": 640, "height": 480}


def test_regions_are_written_into_every_turn() -> None:
    texts = ("<image>\nWhat is <|bbox1|>?", "All, and <|bbox0|> in it.", "<|bbox0|><|bbox0|>", "A")
    messages = messages_from_record({**REGIONS, **SIZE, "conversations": talk(*texts)})

    first, second = "[015,041,171,145]", "[000,000,999,999]"
    assert messages[0]["content"] == [image("a.png"), said(f"What is {second}?")]
    assert messages[1]["content"] == [said(f"All, and {first} in it.")]
    assert messages[2]["content"] == [said(first + first)]


def test_regions_are_written_into_captions_and_between_several_images() -> None:
    caption = messages_from_record({**REGIONS, **SIZE, "text": "A cat at <|bbox0|>."})
    assert caption[1]["content"] == [said("A cat at [015,041,171,145].")]

    several = {**REGIONS, **SIZE, "image": ["a", "b"]}
    messages = messages_from_record({**several, "conversations": talk("<image><|bbox1|><image>")})
    assert messages[0]["content"][2] == said("[000,000,999,999]")


def test_a_placeholder_in_text_about_nothing_is_text() -> None:
    record = {"conversations": talk("What does <|bbox0|> mean?", "A region.")}
    assert messages_from_record(record)[0]["content"] == [said("What does <|bbox0|> mean?")]


@pytest.mark.parametrize(
    ("record", "error", "text"),
    [
        (
            {"image": "a", "bbox_map": {"0": [1, 2, 3, 4]}},
            TokenizerError,
            "bbox_map stands without video.\n"
            "  where:    record\n"
            "  expected: bbox_map beside video\n"
            "  fix:      add video, or take bbox_map out",
        ),
        (
            {"video": "a", "bbox": [[1, 2, 3, 4]]},
            TokenizerError,
            "bbox stands without image.\n"
            "  where:    record\n"
            "  expected: bbox beside image\n"
            "  fix:      add image, or take bbox out",
        ),
        (
            {"video": "a", "bbox_map": {"7": [1, 2, 3]}},
            MediaError,
            "[1, 2, 3] is no box.\n"
            "  where:    record.bbox_map[7]\n"
            "  expected: [x1, y1, x2, y2]: four numbers in pixels, the top left corner first; "
            "or null\n"
            "  fix:      mend the box",
        ),
        (
            {"image": "a", "bbox": [[1, 2, 3, 4], [0, 0, 5, 5]], **SIZE},
            TokenizerError,
            "<|bbox2|> stands for a region that the record does not have.\n"
            "  where:    record.conversations[1]\n"
            "  expected: placeholders of the regions in bbox: <|bbox0|> to <|bbox1|>\n"
            "  fix:      add the region to bbox, or take the placeholder out",
        ),
        (
            {"image": "a"},
            TokenizerError,
            "<|bbox2|> stands for a region that the record does not have.\n"
            "  where:    record.conversations[1]\n"
            "  expected: placeholders of the regions in bbox: none\n"
            "  fix:      add the region to bbox, or take the placeholder out",
        ),
        (
            {"image": "a", "bbox": [[1, 2, 3, 4]], "width": 640},
            TokenizerError,
            "The picture's height is None.\n"
            "  where:    record.height\n"
            "  expected: the height in pixels that the regions of bbox refer to\n"
            "  fix:      add height to the record",
        ),
        (
            {"image": "a", "bbox": [[1, 2, 3, 4], [1, 2, -3, 4]], **SIZE},
            TokenizerError,
            "[1, 2, -3, 4] is no region.\n"
            "  where:    record.bbox[1]\n"
            "  expected: [x, y, w, h]: left, top, width and height in pixels\n"
            "  fix:      mend the region",
        ),
        (
            {"image": "a", "bbox": {"0": [1, 2, 3, 4]}, **SIZE},
            TokenizerError,
            "A value of type dict holds no regions.\n"
            "  where:    record.bbox\n"
            "  expected: a list of [x, y, w, h]\n"
            "  fix:      write [[x, y, w, h], …]",
        ),
    ],
)
def test_regions_that_are_none_say_so(record, error, text: str) -> None:
    with pytest.raises(error) as caught:
        messages_from_record({**record, "conversations": talk("What?", "See <|bbox2|>.")})
    assert str(caught.value) == text
