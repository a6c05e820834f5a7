"""Tokenizer files that are broken or lie: one error that names the file, panics included."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from plm_components.errors import TokenizerError
from plm_components.tokenizers.hf import HFTokenizer
from plm_components.tokenizers.plain_text import PlainTextTokenizer
from plm_components.tokenizers.words import WordsTokenizer


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({letter: n for n, letter in enumerate(alphabet)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(["<|im_start|>", "<|im_end|>", "<|image|>"])
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    return tmp_path


def refused(directory: Path, template: Any = "chatml") -> str:
    with pytest.raises(TokenizerError) as caught:
        HFTokenizer(path=str(directory), template=template)
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("tokenizer.json", b"\xff{}", "it is not UTF-8 text (byte 0)"),
        ("tokenizer.json", b" " * (2**26 + 1), "it is larger than 67,108,864 bytes"),
        ("tokenizer_config.json", b"[" * 100_000, "it nests too deeply"),
        ("tokenizer_config.json", b'{"a": NaN}', "NaN is no number of JSON"),
        ("tokenizer_config.json", b"[]", "it holds a list"),
        (
            "generation_config.json",
            b"{",
            "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)",
        ),
        ("chat_template.jinja", b"\x80", "it is not UTF-8 text (byte 0)"),
        ("chat_template.json", b"\x80", "it is not UTF-8 text (byte 0)"),
    ],
)
def test_a_file_that_is_none(directory: Path, name: str, content: bytes, why: str) -> None:
    (directory / name).write_bytes(content)
    expected = "a template in UTF-8" if name.endswith(".jinja") else "a JSON object in UTF-8"
    assert refused(directory) == (
        f"A tokenizer file cannot be read: {why}.\n"
        f"  where:    {directory / name}\n"
        f"  expected: {expected}\n"
        "  fix:      fetch the file again"
    )


def test_a_pipe_is_not_waited_for(directory: Path) -> None:
    (directory / "tokenizer.json").unlink()
    os.mkfifo(directory / "tokenizer.json")
    assert refused(directory).startswith("There is no tokenizer.json to read.")


@pytest.mark.parametrize("ends", ["x", [[1]], -1, 10**9, [True], {"a": 1}])
def test_an_end_that_is_no_id(directory: Path, ends: Any) -> None:
    (directory / "generation_config.json").write_text(json.dumps({"eos_token_id": ends}))
    (directory / "chat_template.jinja").write_text("{{ messages }}")
    shown = ends if isinstance(ends, list) else [ends]
    assert refused(directory, "jinja") == (
        f"eos_token_id is {shown}.\n"
        f"  where:    {directory}/generation_config.json\n"
        "  expected: an id of the vocabulary, or a list of them\n"
        "  fix:      mend the file, or name tokenizer.stop_tokens"
    )


def test_a_list_of_templates_that_holds_other_things(directory: Path) -> None:
    config = {"chat_template": [3, None, {"name": "default"}]}
    (directory / "tokenizer_config.json").write_text(json.dumps(config))
    assert refused(directory, "jinja").startswith("The tokenizer has no chat template.")


def test_an_empty_vocabulary() -> None:
    with pytest.raises(TokenizerError) as caught:
        PlainTextTokenizer(Tokenizer(models.BPE({}, [])).to_str())
    assert str(caught.value) == (
        "The tokenizer cannot be built: its vocabulary is empty.\n"
        "  where:    tokenizer.json\n"
        "  expected: a file as the tokenizers library writes it\n"
        "  fix:      fetch the file again, or update the tokenizers library"
    )


class PanicException(BaseException):
    """As the library's Rust half raises: no ``Exception``."""


@pytest.mark.parametrize(
    ("call", "what"),
    [
        (lambda plain: plain.encode("x"), "The text cannot be encoded: index out of bounds."),
        (lambda plain: plain.decode([1]), "The answer cannot be decoded: index out of bounds."),
    ],
)
def test_a_panic_of_the_library(
    directory: Path, call: Callable[[PlainTextTokenizer], Any], what: str
) -> None:
    class Broken:
        def encode(self, *args: Any, **options: Any) -> None:
            raise PanicException("index out of bounds")

        decode = encode

    plain = PlainTextTokenizer((directory / "tokenizer.json").read_text())
    plain._first = plain._inner = Broken()  # type: ignore[assignment]
    with pytest.raises(TokenizerError) as caught:
        call(plain)
    assert caught.value.what == what


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("/no such file", "No such file or directory"),
        ("~no such user/words.txt", "No such file or directory"),
        ("a\0b", "embedded null byte"),
        ("x" * 5000, "File name too long"),
    ],
)
def test_paths_of_word_lists(words: str, why: str) -> None:
    assert not WordsTokenizer.files_at_hand(words=words)
    with pytest.raises(TokenizerError) as caught:
        WordsTokenizer(words=words)
    assert caught.value.what == f"The word list cannot be read: {why}."


def test_a_word_list_that_is_a_pipe_or_too_long(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "long").write_bytes(b"a" * (2**24 + 1))
    for name, why in [("pipe", "it is no regular file"), ("long", "larger than 16,777,216 bytes")]:
        with pytest.raises(TokenizerError, match=why):
            WordsTokenizer(words=str(tmp_path / name))
