from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from plm_components.errors import MediaError, TokenizerError
from plm_components.model.messages import ImagePart, Message, VideoPart, parse_conversation

PICTURE = Image.new("RGB", (2, 2))


def test_every_form_a_message_may_have() -> None:
    parsed = parse_conversation(
        [
            {"role": "system", "content": "Be brief."},
            {
                "role": "user",
                "content": [
                    {"type": "image", "image": "a.png"},
                    {"type": "image", "image": PICTURE},
                    {"type": "text", "text": "and"},
                    {"type": "video", "video": Path("b.mp4"), "start_s": 1, "end_s": None},
                ],
            },
            {"role": "assistant", "content": [{"type": "text", "text": "Red."}]},
        ]
    )
    assert parsed == (
        Message("system", ("Be brief.",)),
        Message(
            "user",
            (ImagePart(Path("a.png")), ImagePart(PICTURE), "and", VideoPart(Path("b.mp4"), 1.0)),
        ),
        Message("assistant", ("Red.",)),
    )


def user(*parts: object) -> list[object]:
    return [{"role": "user", "content": list(parts)}]


FAULTS = {
    "nothing": ([], "A conversation holds no message.", "conversation"),
    "no list": ("what?", "A value of type str cannot be read here.", "conversation"),
    "no mapping": (["what?"], "A value of type str cannot be read here.", "conversation[0]"),
    "no role": ([{"content": ""}], "The key 'role' is missing.", "conversation[0]"),
    "no content": ([{"role": "user"}], "The key 'content' is missing.", "conversation[0]"),
    "unknown role": (
        [{"role": "usr", "content": ""}], "The role 'usr' is unknown.", "conversation[0].role",
    ),
    "unknown key": (
        [{"role": "user", "content": "", "name": "x"}], "The key 'name' is unknown.",
        "conversation[0]",
    ),
    "content of another type": (
        [{"role": "user", "content": 3}], "A value of type int cannot be read here.",
        "conversation[0].content",
    ),
    "unknown type": (
        user({"type": "imge", "image": "a"}), "The content type 'imge' is unknown.",
        "conversation[0].content[0].type",
    ),
    "no type": (user({"text": "a"}), "A part has no type.", "conversation[0].content[0].type"),
    "no image": (
        user("a", {"type": "image"}), "A value of type str cannot be read here.",
        "conversation[0].content[0]",
    ),
    "missing image": (
        user({"type": "image"}), "The key 'image' is missing.", "conversation[0].content[0]",
    ),
    "image of another type": (
        user({"type": "image", "image": [1]}), "A value of type list cannot be read here.",
        "conversation[0].content[0].image",
    ),
    "text of another type": (
        user({"type": "text", "text": None}), "A value of type NoneType cannot be read here.",
        "conversation[0].content[0].text",
    ),
    "address": (
        user({"type": "image", "image": "https://a.b/c.png"}),
        "'https://a.b/c.png' is an address on a network.", "conversation[0].content[0].image",
    ),
    "negative time": (
        user({"type": "video", "video": "a.mp4", "start_s": -1}), "-1 is no time.",
        "conversation[0].content[0].start_s",
    ),
    "no number": (
        user({"type": "video", "video": "a.mp4", "end_s": float("nan")}), "nan is no time.",
        "conversation[0].content[0].end_s",
    ),
    "time of another type": (
        user({"type": "video", "video": "a.mp4", "end_s": "3"}), "'3' is no time.",
        "conversation[0].content[0].end_s",
    ),
    "misspelt time": (
        user({"type": "video", "video": "a.mp4", "start": 1}), "The key 'start' is unknown.",
        "conversation[0].content[0]",
    ),
    "clip rule": (
        user({"type": "video", "video": "a.mp4", "clip_rule": "exakt"}),
        "The clip rule 'exakt' is unknown.", "conversation[0].content[0].clip_rule",
    ),
    "media of the assistant": (
        [{"role": "assistant", "content": [{"type": "image", "image": "a.png"}]}],
        "An image stands in a turn of the assistant.", "conversation[0].content[0]",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_one_clear_error(fault: str) -> None:
    conversation, what, where = FAULTS[fault]
    of_media = where.endswith((".image", ".video", "_s", ".clip_rule"))
    with pytest.raises(MediaError if of_media else TokenizerError) as caught:
        parse_conversation(conversation)
    assert (caught.value.what, caught.value.where) == (what, where)


def test_the_whole_text() -> None:
    with pytest.raises(TokenizerError) as caught:
        parse_conversation(user({"type": "imge", "image": "a.png"}))
    assert str(caught.value) == (
        "The content type 'imge' is unknown.\n"
        "  where:    conversation[0].content[0].type\n"
        "  expected: one of: text, image, video\n"
        "  fix:      did you mean 'image'?"
    )
