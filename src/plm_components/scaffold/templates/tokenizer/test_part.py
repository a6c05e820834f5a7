"""What this tokenizer does beyond its contract."""

from __future__ import annotations

import pytest
from plm_components.contracts import MediaSlot, Turn

from plm_my_part.my_part import MyPart as Part


@pytest.mark.parametrize("text", ["", "two words", "Größe 名前 \U0001f600", "<|eot_id|>", "a\n\nb"])
def test_any_text_comes_back(text: str) -> None:
    ids = Part().encode(text)
    assert len(ids) == len(text.encode())
    assert Part().decode(ids) == text


def test_a_conversation_reads_as_the_template_has_it() -> None:
    part = Part(template="chatml", system_prompt="")
    turn = Turn("user", (MediaSlot("image", 3, 0), "what is it?"))
    encoded = part.encode_conversation([turn], generation_prompt=True)
    assert part.decode(encoded.input_ids) == "user\nwhat is it?\nassistant\n"
    assert encoded.input_ids.count(part.image_token_id) == 3
