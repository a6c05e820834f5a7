from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plm_components.contracts import MediaSlot, Turn
from plm_components.errors import TokenizerError
from plm_components.tokenizers.templates import PLM_SYSTEM_PROMPT
from plm_components.tokenizers.words import SPECIAL_ROLES, WordsTokenizer

WORDS = ["the", "red", "circle", "what's", "moves", "left", "12", "0", "1", "2", "3"]
WORDS += ["(", ")", ".", ",", "?", "-", "é"]
TOKENIZER = WordsTokenizer(words=WORDS, system_prompt="")
# pieces that meet every rule of spacing
PIECES = st.sampled_from(
    [*WORDS, "Red", "THE", "unknown", " ", "  ", "\n", "\n\n", "\t", "漢", "7"]
)


def words_of(text: str) -> list[str]:
    """Each token alone, as text."""
    return [TOKENIZER.decode([token]) for token in TOKENIZER.encode(text)]


def test_ids_are_fixed() -> None:
    assert SPECIAL_ROLES.index("pad") == TOKENIZER.pad_id == 0
    assert TOKENIZER.special_ids == {
        "pad": 0, "begin_of_text": 1, "end_of_text": 2, "image": 3, "video": 4,
        "start_header_id": 5, "end_header_id": 6, "eot_id": 7, "im_start": 8, "im_end": 9,
    }  # fmt: skip
    assert TOKENIZER.encode("\0") == [10]
    assert TOKENIZER.encode("\n\nsystem") == [266, 267]
    assert TOKENIZER.encode("the") == [270]
    assert TOKENIZER.vocab_size == 270 + len(WORDS)
    assert TOKENIZER.image_token_id == 3
    assert TOKENIZER.media_token_ids == {"image": 3, "video": 4}
    assert TOKENIZER.stop_ids == (2, 7)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("the red circle moves left.", ["the", "red", "circle", "moves", "left", "."]),
        ("What's 12, 3 (the red)?", ["what's", "12", ",", "3", "(", "the", "red", ")", "?"]),
        # a number that is not listed is its digits
        ("120", ["1", "2", "0"]),
        ("1 2", ["1", " ", "2"]),
        # another gap than the usual one is said
        ("the  red", ["the", " ", " ", "red"]),
        ("the,red", ["the", ",", "r", "e", "d"]),
        (" the", [" ", "the"]),
        ("the ", ["the", " "]),
        ("the\n\nred", ["the", "\n\n", "red"]),
        ("the Cat", ["the", " ", "C", "a", "t"]),
    ],
)
def test_words_cost_one_token_and_usual_spaces_none(text: str, tokens: list[str]) -> None:
    assert words_of(text) == tokens


@given(st.one_of(st.text(), st.lists(PIECES).map("".join)))
def test_text_comes_back_but_for_the_case_of_listed_words(text: str) -> None:
    back = TOKENIZER.decode(TOKENIZER.encode(text))
    safe = text.encode("utf-8", errors="replace").decode()
    assert back.lower() == safe.lower()
    if safe == safe.lower():
        assert back == safe


@given(st.one_of(st.text(), st.lists(PIECES).map("".join)))
def test_no_text_becomes_a_special_token(text: str) -> None:
    assert all(10 <= token < TOKENIZER.vocab_size for token in TOKENIZER.encode(text))


@pytest.mark.parametrize("role", SPECIAL_ROLES)
def test_special_tokens_can_not_be_typed(role: str) -> None:
    text = f"the <|{role}|> red <{role}>"
    assert all(token >= 10 for token in TOKENIZER.encode(text))
    assert TOKENIZER.decode(TOKENIZER.encode(text)) == text


@given(st.lists(st.integers(-5, TOKENIZER.vocab_size + 5)))
def test_any_ids_decode_to_text(ids: list[int]) -> None:
    shown = [token for token in ids if 10 <= token < TOKENIZER.vocab_size]
    text = TOKENIZER.decode(ids)
    assert text.encode().decode() == text
    assert (text == "") == (shown == [])


def test_streamed_text_only_grows() -> None:
    ids = TOKENIZER.encode("The red Cat moves, 12 3 (left) the\n\nend.")
    texts = [TOKENIZER.decode(ids[:count]) for count in range(len(ids) + 1)]
    assert all(after.startswith(before) for before, after in pairwise(texts))


def test_the_whole_conversation() -> None:
    image = MediaSlot("image", 2, 0)
    turns = [Turn("user", (image, "what's red?")), Turn("assistant", ("the circle",))]
    encoded = TOKENIZER.encode_conversation(turns, generation_prompt=False)
    ids = TOKENIZER.special_ids
    word = {w: TOKENIZER.encode(w)[0] for w in ("what's", "red", "?", "the", "circle")}
    user, assistant, gap = 268, 269, 266
    header = [ids["start_header_id"], user, ids["end_header_id"], gap]
    question = [3, 3, word["what's"], word["red"], word["?"], ids["eot_id"]]
    answer = [ids["start_header_id"], assistant, ids["end_header_id"], gap,
              word["the"], word["circle"], ids["eot_id"], ids["end_of_text"]]  # fmt: skip
    assert list(encoded.input_ids) == [ids["begin_of_text"], *header, *question, *answer]
    assert encoded.is_response == (False,) * 11 + (True,) * 8
    assert encoded.media_starts == (5,)


def test_plms_system_prompt_is_the_default() -> None:
    tokenizer = WordsTokenizer(words=[])
    encoded = tokenizer.encode_conversation([Turn("user", ("hi",))], generation_prompt=True)
    assert PLM_SYSTEM_PROMPT in tokenizer.decode(encoded.input_ids)


def test_a_list_may_be_a_file(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("red\ncircle\n\n")
    assert WordsTokenizer.files_at_hand(words=str(path))
    assert WordsTokenizer(words=str(path)).vocab_size == 272


@pytest.mark.parametrize("words", ["nowhere/words.txt", "package:nowhere/words.txt"])
def test_a_missing_file_is_named(words: str) -> None:
    assert not WordsTokenizer.files_at_hand(words=words)
    with pytest.raises(TokenizerError) as caught:
        WordsTokenizer(words=words)
    assert caught.value.where == words
    assert caught.value.what.startswith("The word list cannot be read: ")


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["red", "red"], "The word 'red' stands twice in the table."),
        (["user"], "The word 'user' stands twice in the table."),
        (["Red"], "The word 'Red' can never match."),
        (["red circle"], "The word 'red circle' can never match."),
        ([" "], "The word ' ' can never match."),
        ([""], "The word '' can never match."),
        (["a-b"], "The word 'a-b' can never match."),
    ],
)
def test_words_that_can_not_be_used_are_refused(words: list[str], what: str) -> None:
    with pytest.raises(TokenizerError) as caught:
        WordsTokenizer(words=words)
    assert str(caught.value).startswith(f"{what}\n  where:    tokenizer.words\n")
