"""Reading within bounds, and quoting without being deceived."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from plm_components.untrusted import expanded, is_file, parse_json, read_text, reason, shown


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda p: None, "No such file or directory"),
        (lambda p: p.mkdir(), "it is a directory"),
        (lambda p: os.mkfifo(p), "it is no regular file"),
        (lambda p: p.write_bytes(b"ab\xff"), "it is not UTF-8 text (byte 2)"),
        (lambda p: p.write_bytes(b"x" * 11), "it is larger than 10 bytes"),
    ],
    ids=["nothing", "a directory", "a pipe", "bytes", "too much"],
)
def test_what_is_no_text(tmp_path: Path, make: Callable[[Path], Any], why: str) -> None:
    make(tmp_path / "file")
    with pytest.raises((OSError, ValueError)) as caught:
        read_text(tmp_path / "file", 10)
    assert reason(caught.value) == why


def test_text_may_begin_with_a_mark(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"\xef\xbb\xbfword")
    assert read_text(tmp_path / "file", 10) == "word"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[" * 100_000, "it nests too deeply"),
        ('{"a": 1, "a": 2}', "the key 'a' stands twice"),
        ("[Infinity]", "Infinity is no number of JSON"),
        ("-1e999", "-1e999 is not a finite number"),
    ],
)
def test_what_is_no_json(text: str, why: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_json(text)
    assert str(caught.value) == why


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ("plain: ä ü 你", "plain: ä ü 你"),
        ("a\n  fix: \x1b[31m\x00", r"a\n  fix: \x1b[31m\x00"),
        ("\ud800\u202e", r"\ud800\u202e"),
        ("x" * 300, "x" * 200 + "… (300 characters)"),
    ],
)
def test_a_quote_is_one_short_line(given: str, line: str) -> None:
    assert shown(given) == line


def test_paths_that_the_system_refuses() -> None:
    assert not is_file(Path("x" * 5000))
    assert not is_file(Path("a\0b"))
    assert expanded("~no such user/a") == Path("~no such user/a")
    assert expanded("~/a") == Path.home() / "a"
