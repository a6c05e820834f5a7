"""Pieces of text: together the whole answer, and no piece is ever taken back."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models

from plm_components.inference import text_pieces
from plm_components.tokenizers.words import WordsTokenizer


def byte_level() -> Tokenizer:
    """Every byte a token, as in GPT-2: the hardest case for characters of several bytes."""
    from tokenizers.pre_tokenizers import ByteLevel

    alphabet = sorted(ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({letter: n for n, letter in enumerate(alphabet)}, []))
    tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


BYTES = byte_level()
WORDS = WordsTokenizer(words=["what", "moves", ".", ",", "red"])


@given(st.text(st.characters(codec="utf-8"), max_size=30))
def test_characters_of_several_bytes_come_whole(text: str) -> None:
    ids = BYTES.encode(text).ids
    pieces = list(text_pieces(ids, BYTES.decode))
    assert "".join(pieces) == BYTES.decode(ids) == text
    if "\ufffd" not in text:
        assert not any("\ufffd" in piece for piece in pieces)


@given(st.lists(st.integers(0, WORDS.vocab_size - 1), max_size=20))
def test_whatever_a_model_says_the_pieces_are_the_whole(ids: list[int]) -> None:
    pieces = list(text_pieces(ids, WORDS.decode))
    assert "".join(pieces) == WORDS.decode(ids)
    assert all(pieces)


def test_pieces_come_as_soon_as_they_are_settled() -> None:
    ids = iter(WORDS.encode("what moves, red"))
    pieces = text_pieces(ids, WORDS.decode)
    assert next(pieces) == "what"
    assert next(pieces) == " moves"
    assert next(pieces) == ","


def test_a_space_that_a_decoder_swallows_is_never_said() -> None:
    def decode(ids: Sequence[int]) -> str:
        # as tokenizers with clean_up_tokenization_spaces do
        return "".join("ab ."[i] for i in ids).replace(" .", ".")

    assert list(text_pieces([0, 2, 3, 2, 1], decode)) == ["a", ".", " b"]


def test_an_answer_cut_inside_a_character_ends_with_what_the_decoder_says() -> None:
    ids = BYTES.encode("ü").ids[:1]
    assert list(text_pieces(ids, BYTES.decode)) == ["\ufffd"]


def test_no_ids_no_pieces() -> None:
    assert list(text_pieces([], BYTES.decode)) == []
