"""safetensors on the disk, against the library's own reader and writer."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from plm_components.checkpoints import first_nonfinite, open_tensors, write_tensors
from plm_components.errors import CheckpointError


def some_tensors() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {
        "a.weight": torch.randn(4, 8, generator=generator),
        "a.bias": torch.randn(4, generator=generator).bfloat16(),
        "b.count": torch.tensor(3),
        "c.weight": torch.randn(16, 16, generator=generator),
    }


def test_one_file_is_what_safetensors_itself_reads(tmp_path: Path) -> None:
    write_tensors(some_tensors(), tmp_path)
    theirs = load_file(tmp_path / "model.safetensors")
    assert theirs.keys() == some_tensors().keys()
    assert all(torch.equal(theirs[name], tensor) for name, tensor in some_tensors().items())


def test_what_safetensors_writes_is_read_bit_for_bit(tmp_path: Path) -> None:
    save_file(some_tensors(), tmp_path / "model.safetensors")
    stored = open_tensors(tmp_path, "plm:x")
    assert stored.shapes == {name: tuple(t.shape) for name, t in some_tensors().items()}
    read = dict(stored.read(stored.shapes))
    assert all(torch.equal(read[name], tensor) for name, tensor in some_tensors().items())
    assert read["a.bias"].dtype == torch.bfloat16


def test_many_bytes_are_spread_over_files_with_an_index_transformers_would_read(
    tmp_path: Path,
) -> None:
    paths = write_tensors(some_tensors(), tmp_path, max_file_bytes=200)
    assert [path.name for path in paths] == [
        "model-00001-of-00002.safetensors",
        "model-00002-of-00002.safetensors",
    ]
    index = json.loads((tmp_path / "model.safetensors.index.json").read_text())
    assert index["weight_map"].keys() == some_tensors().keys()
    assert index["metadata"]["total_size"] == sum(t.nbytes for t in some_tensors().values())
    stored = open_tensors(tmp_path, "plm:x")
    read = dict(stored.read(stored.shapes))
    assert all(torch.equal(read[name], tensor) for name, tensor in some_tensors().items())


def test_writing_to_a_read_tensor_leaves_the_file_alone(tmp_path: Path) -> None:
    write_tensors(some_tensors(), tmp_path)
    before = (tmp_path / "model.safetensors").read_bytes()
    (_, tensor), *_ = open_tensors(tmp_path, "plm:x").read(["c.weight"])
    tensor.zero_()
    assert (tmp_path / "model.safetensors").read_bytes() == before


def test_the_hash_changes_with_a_single_bit(tmp_path: Path) -> None:
    write_tensors(some_tensors(), tmp_path)
    before = open_tensors(tmp_path, "plm:x").sha256()
    data = bytearray((tmp_path / "model.safetensors").read_bytes())
    data[-1] ^= 1
    (tmp_path / "model.safetensors").write_bytes(data)
    assert open_tensors(tmp_path, "plm:x").sha256() != before


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError) as caught:
        open_tensors(tmp_path, "plm:x")
    assert str(caught.value) == (
        "There is no weights file.\n"
        f"  where:    {tmp_path / 'model.safetensors'}\n"
        "  expected: a safetensors file, model.safetensors or the files of "
        "model.safetensors.index.json\n"
        "  fix:      check the path, or save the variant again"
    )


@pytest.mark.parametrize("keep", [0, 5, 60, -1])
def test_a_truncated_file(tmp_path: Path, keep: int) -> None:
    write_tensors(some_tensors(), tmp_path)
    path = tmp_path / "model.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(CheckpointError, match="cannot be read") as caught:
        open_tensors(tmp_path, "plm:x")
    assert caught.value.where == str(path)
    assert caught.value.expected == "a whole safetensors file"
    assert caught.value.fix == (
        "copy it again from where it came; it is truncated, or of another format"
    )


def test_a_pickle_is_not_read(tmp_path: Path) -> None:
    torch.save(some_tensors(), tmp_path / "model.safetensors")
    with pytest.raises(CheckpointError, match="cannot be read"):
        open_tensors(tmp_path, "plm:x")


def test_an_index_reaches_no_other_directory(tmp_path: Path) -> None:
    (tmp_path / "inside").mkdir()
    save_file(some_tensors(), tmp_path / "secret.safetensors")
    index = {"weight_map": {"a.weight": "../secret.safetensors"}}
    (tmp_path / "inside" / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(CheckpointError, match="no name of a file beside it"):
        open_tensors(tmp_path / "inside", "plm:x")


def test_one_tensor_in_two_files(tmp_path: Path) -> None:
    write_tensors(some_tensors(), tmp_path, max_file_bytes=200)
    save_file(some_tensors(), tmp_path / "model-00002-of-00002.safetensors")
    with pytest.raises(CheckpointError, match="is stored twice"):
        open_tensors(tmp_path, "plm:x")


def test_nonfinite_tensors_are_named() -> None:
    bad = {
        "nan": torch.tensor([1.0, float("nan")]),
        "inf": torch.tensor([float("inf")]),
        "fine": torch.ones(3),
        "whole": torch.tensor([1]),
    }
    assert first_nonfinite(bad.items()) == ["nan", "inf"]
