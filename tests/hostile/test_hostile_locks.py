"""Locks that are no lock, or one that lies: one error that names the file."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import plm_components as plm
from plm_components.errors import CheckpointError


def text_of(why: str, where: Path) -> str:
    return (
        f"The lock cannot be read: {why}.\n"
        f"  where:    {where}\n"
        "  expected: the plm.lock that Variant.save wrote\n"
        "  fix:      copy it again from where it came, or save the variant again"
    )


def part(**fields: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda lock: lock["parts"][0].update(fields)


def weights(**fields: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda lock: lock["weights"].update(fields)


@pytest.mark.parametrize(
    ("lie", "why"),
    [
        (part(path=[]), "TypeError: path is []"),
        (part(kind=[]), "TypeError: kind is []"),
        (part(name=3), "TypeError: name is 3"),
        (part(contract="1"), "TypeError: contract is '1'"),
        (part(version=None), "TypeError: version is None"),
        (part(options="x"), "TypeError: options is 'x'"),
        (part(sha256=3), "TypeError: sha256 is 3"),
        (part(weights={}), "TypeError: weights is {}"),
        (weights(sha256=None), "TypeError: sha256 is None"),
        (weights(num_bytes="x"), "TypeError: num_bytes is 'x'"),
        (weights(num_tensors=None), "TypeError: num_tensors is None"),
        (weights(dtype="int8"), "ValueError: there is no dtype 'int8'"),
        (weights(dtype=[]), "TypeError: dtype is []"),
        (weights(origins=3), "TypeError: 'int' object is not iterable"),
        (weights(origins=[3]), "TypeError: 'int' object is not iterable"),
        (lambda lock: lock.update(spec_weights=3), "TypeError: spec_weights is 3"),
        (
            lambda lock: lock.update(parts=lock["parts"][:1] * 2),
            "ValueError: a part stands in it twice",
        ),
        (
            part(path="\x1b[2J\n  fix:      rm -r /", version=3),
            "TypeError: version is 3",
        ),
    ],
)
def test_a_field_that_lies(copy: Path, lie: Callable[[dict[str, Any]], Any], why: str) -> None:
    path = copy / "plm.lock"
    lock = json.loads(path.read_text())
    lie(lock)
    path.write_text(json.dumps(lock))
    with pytest.raises(CheckpointError) as caught:
        plm.load(copy)
    assert str(caught.value) == text_of(why, path)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"\xff\xfe", "it is not UTF-8 text (byte 0)"),
        (b"[" * 100_000, "ValueError: it nests too deeply"),
        (b'{"plm_lock": 1, "plm_lock": 1}', "ValueError: the key 'plm_lock' stands twice"),
        (b'{"plm_lock": NaN}', "ValueError: NaN is no number of JSON"),
        (b'{"plm_lock": 1e999}', "ValueError: 1e999 is not a finite number"),
        (b" " * (2**22 + 1), "it is larger than 4,194,304 bytes"),
    ],
    ids=["no text", "nested", "a key twice", "NaN", "too large a number", "too large a file"],
)
def test_a_text_that_is_none(copy: Path, content: bytes, why: str) -> None:
    (copy / "plm.lock").write_bytes(content)
    with pytest.raises(CheckpointError) as caught:
        plm.load(copy)
    assert str(caught.value) == text_of(why, copy / "plm.lock")


def test_another_format_is_quoted_in_one_line(copy: Path) -> None:
    (copy / "plm.lock").write_text('{"plm_lock": "\\u001b[2J\\n"}')
    with pytest.raises(CheckpointError) as caught:
        plm.load(copy)
    assert caught.value.what == r"The lock is of format \x1b[2J\n."


def test_a_pipe_is_not_waited_for(copy: Path) -> None:
    (copy / "plm.lock").unlink()
    os.mkfifo(copy / "plm.lock")
    with pytest.raises(CheckpointError, match=r"plm.lock missing"):
        plm.load(copy)


def test_counts_that_lie(copy: Path) -> None:
    path = copy / "plm.lock"
    lock = json.loads(path.read_text())
    lock["weights"]["num_bytes"] = -1
    path.write_text(json.dumps(lock))
    with pytest.raises(CheckpointError) as caught:
        plm.load(copy)
    assert caught.value.what == "The weights are not those the lock beside them was written for."
    assert caught.value.expected.startswith("43 tensors, -1 bytes, sha256 ")
