"""``.pth`` files that are broken, lie, or hold code: one error, whole text, nothing run."""

from __future__ import annotations

import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from plm_components.checkpoints import open_pickled
from plm_components.errors import CheckpointError

PLANTED = {"a": torch.ones(4, 3), "b": torch.ones(2).bfloat16()}


def text_of(what: str, where: object, expected: str, fix: str) -> str:
    return f"{what}\n  where:    {where}\n  expected: {expected}\n  fix:      {fix}"


def unreadable(why: str, path: Path) -> str:
    return text_of(
        f"The weights file cannot be read: {why}.",
        path,
        "a whole .pth file that torch.save wrote",
        "copy it again from where it came; it is truncated, damaged, or of another format",
    )


def runs(what: str, path: Path) -> str:
    return text_of(
        f"The file asks to run {what}; it was not run.",
        path,
        "tensors in dictionaries and nothing else: torch.save(model.state_dict(), path)",
        "get the weights as safetensors; do not open this file with torch.load",
    )


def no_state_dict(why: str, path: Path) -> str:
    return text_of(
        f"This file is no state dict: {why}.",
        path,
        "names and tensors, or these under one of: model, state_dict, weights",
        "save it with torch.save(model.state_dict(), path)",
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    torch.save(PLANTED, tmp_path / "consolidated.pth")
    return tmp_path / "consolidated.pth"


def refused(path: Path) -> str:
    with pytest.raises(CheckpointError) as caught:
        open_pickled(path, "original:x")
    return str(caught.value)


class Planted:
    """Pickles as a call of ``function(*arguments)``."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self._call = (function, arguments)

    def __reduce__(self) -> tuple[Any, ...]:
        return self._call


class TestCode:
    def test_it_is_not_run_even_where_torch_would(self, path: Path, tmp_path: Path) -> None:
        planted = Planted(os.mkdir, str(tmp_path / "ran"))
        torch.save({**PLANTED, "optim": planted}, path)
        with torch.serialization.safe_globals([(os.mkdir, f"{os.mkdir.__module__}.mkdir")]):
            assert refused(path) == runs(f"{os.mkdir.__module__}.mkdir", path)
        assert not (tmp_path / "ran").exists()
        # the code is real
        torch.load(path, weights_only=False)
        assert (tmp_path / "ran").exists()

    @pytest.mark.parametrize(
        ("planted", "named"),
        [
            # torch makes these of any size, though it loads weights only
            (Planted(bytearray, 2**40), "__builtin__.bytearray"),
            (Planted(torch.FloatTensor, 2**40), "torch.FloatTensor"),
            (torch.ones(3).to_sparse(), "torch._utils._rebuild_sparse_tensor"),
            ({1, 2}, "__builtin__.set"),
            (torch.Size([2]), "torch.Size"),
            (eval, "__builtin__.eval"),
        ],
    )
    def test_nothing_is_made_but_tensors(self, path: Path, planted: Any, named: str) -> None:
        torch.save({**PLANTED, "x": planted}, path)
        assert refused(path) == runs(named, path)

    @pytest.mark.parametrize(
        ("data", "why"),
        [
            (b"", "pickle exhausted before seeing STOP"),
            (b"\x80\x02}", "pickle exhausted before seeing STOP"),
            (b"\x80\x02.", "its pickle makes no sense"),
            (b"\x80\x02h\x05.", "its pickle makes no sense"),
            (b"\x80\x02}]}s.", "its pickle makes no sense"),
            # hashed, this would overflow the stack of the process
            (b"\x80\x02})" + b"\x85" * 10**6 + b"Ns.", "its pickle makes no sense"),
            (b"\x80\x02}\x8a\x09" + bytes(8) + b"\x01Ns.", "its pickle makes no sense"),
            (
                b"\x80\x02ccollections\nOrdered\\x44ict\n)R.",
                "its pickle writes a name as torch.save never does",
            ),
            (b"\x80\x04}.", "its pickle is of protocol 4, not 2"),
            (b"\x80\x02\xff.", "at position 2, opcode b'\\xff' unknown"),
            (
                b"\x80\x02X\xff\xff\xff\x7fabc",
                "expected 2147483647 bytes in a unicodestring4, but only 3 remain",
            ),
        ],
        ids=lambda value: repr(value)[:40],
    )
    def test_a_pickle_that_is_none(self, path: Path, data: bytes, why: str) -> None:
        repack(path, {"data.pkl": data})
        assert refused(path) == unreadable(why, path)

    def test_an_escape_that_is_none(self, path: Path) -> None:
        repack(path, {"data.pkl": b"\x80\x02ccollections\nOrdered\\ict\n)R."})
        assert refused(path) == runs(r"collections.Ordered\ict", path)

    @pytest.mark.parametrize("name", ["NEWOBJ", "OBJ", "INST", "EXT1", "STACK_GLOBAL"])
    def test_other_ways_to_make_an_object(self, path: Path, name: str) -> None:
        ways = {
            "NEWOBJ": b"ccollections\nOrderedDict\n)\x81.",
            "OBJ": b"(ccollections\nOrderedDict\no.",
            "INST": b"(icollections\nOrderedDict\n.",
            "EXT1": b"\x82\x01.",
            "STACK_GLOBAL": b"X\x02\x00\x00\x00osX\x06\x00\x00\x00system\x93.",
        }
        repack(path, {"data.pkl": b"\x80\x02" + ways[name]})
        assert refused(path) == runs(f"an object ({name})", path)

    def test_a_long_shape_is_not_looked_at_for_each_tensor(self, path: Path) -> None:
        name = b"ctorch._utils\n_rebuild_tensor_v2\nq\x01"
        storage = b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000NK\x0ctQq\x02"
        shape = b"(" + b"K\x01" * 10**6 + b"tq\x03"
        tensors = b"h\x01(h\x02K\x00h\x03h\x03tR" * 10**5
        repack(path, {"data.pkl": b"\x80\x02" + name + storage + shape + tensors + b"."})
        assert refused(path) == unreadable("its pickle makes no sense", path)

    def test_attributes_are_not_attached_again_and_again(self, path: Path) -> None:
        once = b"ccollections\nOrderedDict\n)R}b"
        repack(path, {"data.pkl": b"\x80\x02" + once * 17 + b"."})
        assert refused(path) == runs("an object (BUILD)", path)


class TestTensors:
    @pytest.mark.parametrize("tensor", [torch.ones(1).expand(2**40), torch.ones(1).expand(2, 2)])
    def test_one_that_shows_more_than_is_stored(self, path: Path, tensor: torch.Tensor) -> None:
        torch.save({"a": tensor}, path)
        assert refused(path) == unreadable("it does not hold what it says of a", path)

    def test_a_storage_of_another_size_than_its_record(self, path: Path) -> None:
        repack(path, {"data/0": bytes(44)})
        assert refused(path) == unreadable("it does not hold what it says of a", path)

    @pytest.mark.parametrize("number", [0, 11, 13, 255])
    def test_a_storage_that_claims_another_size(self, path: Path, number: int) -> None:
        # twelve numbers, as the pickle says before the mark of their end
        repack(
            path,
            {"data.pkl": record(path, "data.pkl").replace(b"K\x0ct", bytes([75, number, 116]))},
        )
        assert refused(path) == unreadable("it does not hold what it says of a", path)

    def test_a_record_is_missing(self, path: Path) -> None:
        repack(path, {"data/1": None})
        assert refused(path) == unreadable("it does not hold what it says of b", path)

    def test_a_thousand_names_for_one_record(self, path: Path) -> None:
        tensor = torch.ones(1000)
        torch.save({f"layers.{n}": tensor for n in range(1000)}, path)
        assert refused(path) == unreadable("its tensors share too few bytes", path)

    def test_ten_thousand_tensors_are_no_fault(self, path: Path) -> None:
        tensors = {f"layers.{n}.weight": torch.tensor(float(n)) for n in range(10_000)}
        torch.save(tensors, path)
        stored = open_pickled(path, "original:x")
        assert stored.shapes.keys() == tensors.keys()
        assert [float(t) for _, t in stored.read(["layers.7.weight"])] == [7.0]

    @pytest.mark.parametrize(
        ("content", "why"),
        [
            ({}, "there are no tensors in it"),
            ([torch.ones(1)], "there are no tensors in it"),
            (torch.ones(1), "there are no tensors in it"),
            ({"model": {}}, "there are no tensors in it"),
            ({"a": 1, "b\n": torch.ones(1), "c": [1]}, "2 entries are no tensors: a, c"),
            ({1: torch.ones(1)}, "1 entries are no tensors: 1"),
            ({"network": {"a": torch.ones(1)}}, "1 entries are no tensors: network"),
        ],
    )
    def test_what_is_no_state_dict(self, path: Path, content: Any, why: str) -> None:
        torch.save(content, path)
        assert refused(path) == no_state_dict(why, path)

    def test_a_file_that_changes_after_it_was_opened(self, path: Path) -> None:
        stored = open_pickled(path, "original:x")
        torch.save({"a": torch.ones(3, 4)}, path)
        with pytest.raises(CheckpointError) as caught:
            list(stored.read(["a"]))
        assert str(caught.value) == unreadable("it has changed since it was opened", path)


class TestFiles:
    def test_none(self, tmp_path: Path) -> None:
        assert refused(tmp_path) == text_of(
            "There is no weights file.",
            tmp_path / "consolidated.pth",
            "a .pth file that torch.save wrote",
            "check the path",
        )

    def test_the_format_before_zip(self, path: Path) -> None:
        torch.save(PLANTED, path, _use_new_zipfile_serialization=False)
        assert refused(path) == text_of(
            "This .pth file has the format of torch before 1.6, which cannot be memory-mapped.",
            path,
            "a .pth file as torch.save has written it since 1.6",
            "write it again: torch.save(torch.load(path, weights_only=True), new_path)",
        )

    def test_several_parts(self, tmp_path: Path) -> None:
        for number in range(4):
            torch.save(PLANTED, tmp_path / f"consolidated.{number:02}.pth")
        text = text_of(
            "The weights are split into 4 parts: consolidated.00.pth, consolidated.01.pth, "
            "consolidated.02.pth and 1 more.",
            tmp_path,
            "one file, consolidated.pth: parts of tensor-parallel training each hold a slice of "
            "every tensor, and which slice is not written in them",
            "consolidate them with the program that wrote them",
        )
        assert refused(tmp_path) == text
        assert refused(tmp_path / "consolidated.00.pth") == text
        # as PerceptionLM's own loader, which looks for the whole file first
        torch.save(PLANTED, tmp_path / "consolidated.pth")
        assert open_pickled(tmp_path, "original:x").shapes == {"a": (4, 3), "b": (2,)}

    @pytest.mark.parametrize(
        ("spoil", "why"),
        [
            (lambda p: p.write_bytes(b""), "it is empty"),
            (lambda p: p.write_bytes(b"no zip"), "it is no zip archive"),
            (lambda p: p.write_bytes(b"PK\3\4"), "the end of the archive is missing"),
            (
                lambda p: p.write_bytes(p.read_bytes()[:-1]),
                "the end of the archive is missing",
            ),
            (
                lambda p: p.write_bytes(p.read_bytes()[: p.stat().st_size // 2]),
                "the end of the archive is missing",
            ),
            (
                lambda p: p.write_bytes(b"PK\3\4" + p.read_bytes()),
                "its directory is not where the end of the archive says",
            ),
            (lambda p: (p.unlink(), os.mkfifo(p)), "it is no regular file"),
            (lambda p: (p.unlink(), p.symlink_to(p.name)), "Too many levels of symbolic links"),
        ],
    )
    def test_a_file_that_is_none(self, path: Path, spoil: Callable[[Path], Any], why: str) -> None:
        spoil(path)
        assert refused(path) == unreadable(why, path)

    def test_one_bit_of_the_pickle(self, path: Path) -> None:
        data = bytearray(path.read_bytes())
        data[data.index(b"torch FloatStorage".replace(b" ", b"\n"))] ^= 1
        path.write_bytes(data)
        assert refused(path) == unreadable("Bad CRC-32 for file 'consolidated/data.pkl'", path)


class TestArchives:
    @pytest.mark.parametrize(
        ("edits", "why"),
        [
            ({"data.pkl": None}, "it has no data.pkl"),
            ({"constants.pkl": b""}, "it is a TorchScript program, which holds code"),
            ({"byteorder": b"big"}, "its bytes are not in little-endian order"),
            ({"byteorder": b"little" * 2**20}, "its bytes are not in little-endian order"),
            ({"DATA.PKL": b"another"}, "its records are not one folder of distinct names"),
            ({"../other/data.pkl": b"another"}, "its records are not one folder of distinct names"),
            ({"data.pkl": b"\x80" * (2**22 + 1)}, "its data.pkl is larger than 4,194,304 bytes"),
        ],
    )
    def test_records_that_make_no_sense(
        self, path: Path, edits: dict[str, bytes | None], why: str
    ) -> None:
        repack(path, edits)
        assert refused(path) == unreadable(why, path)

    def test_a_bomb(self, path: Path) -> None:
        repack(path, {"data.pkl": bytes(10**7)}, zipfile.ZIP_DEFLATED)
        assert path.stat().st_size < 20_000
        assert refused(path) == unreadable("consolidated/data.pkl is compressed", path)

    def test_packed_again_without_compression_is_no_fault(self, path: Path) -> None:
        repack(path, {})
        read = dict(open_pickled(path, "original:x").read(["b", "a"]))
        assert all(torch.equal(read[name], tensor) for name, tensor in PLANTED.items())


def record(path: Path, name: str) -> bytes:
    with zipfile.ZipFile(path) as archive:
        return archive.read(f"{path.stem}/{name}")


def repack(path: Path, edits: dict[str, bytes | None], how: int = zipfile.ZIP_STORED) -> None:
    """Writes the archive again with other records."""
    with zipfile.ZipFile(path) as archive:
        records = {info.filename: archive.read(info) for info in archive.infolist()}
    for name, data in edits.items():
        whole = name.removeprefix("../") if name.startswith("../") else f"{path.stem}/{name}"
        records[whole] = data
    with zipfile.ZipFile(path, "w", how) as archive:
        for name, data in records.items():
            if data is not None:
                archive.writestr(name, data)


def test_the_planted_pickles_are_pickles() -> None:
    assert pickle.loads(b"\x80\x02ccollections\nOrderedDict\n)\x81.") == {}
