"""``.pth`` files against ``torch.save`` and ``torch.load``; broken and hostile ones."""

import os
from pathlib import Path

import pytest
import torch

from plm_components.checkpoints import open_pickled
from plm_components.errors import CheckpointError


def some_tensors() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(4, 8, generator=generator)
    return {
        "a.weight": weight,
        "a.turned": torch.randn(8, 4, generator=generator).t(),
        "a.tied": weight,
        "a.parameter": torch.nn.Parameter(torch.randn(3, generator=generator)),
        "b.half": torch.randn(4, generator=generator).bfloat16(),
        "b.count": torch.tensor(3),
        "b.nothing": torch.ones(0, 4),
    }


@pytest.mark.parametrize("wrapper", [None, "model", "state_dict", "weights"])
def test_what_torch_saves_is_read_bit_for_bit(tmp_path: Path, wrapper: str | None) -> None:
    path = tmp_path / "consolidated.pth"
    optim = {"state": {0: {"step": torch.tensor(1.0), "lr": 1e-3}}, "param_groups": [None, True]}
    saved = some_tensors() if wrapper is None else {wrapper: some_tensors(), "optim": optim}
    torch.save(saved, path)
    stored = open_pickled(path, "original:x")
    assert stored.shapes == {name: tuple(t.shape) for name, t in some_tensors().items()}
    read = dict(stored.read(stored.shapes))
    assert all(torch.equal(read[name], tensor) for name, tensor in some_tensors().items())
    assert [t.dtype for t in read.values()] == [t.dtype for t in some_tensors().values()]
    assert (stored.wrapper, stored.beside) == (wrapper, () if wrapper is None else ("optim",))
    assert stored.num_bytes == path.stat().st_size


def test_a_state_dict_of_a_module(tmp_path: Path) -> None:
    module = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
    torch.save(module.state_dict(), tmp_path / "consolidated.00.pth")
    read = dict(open_pickled(tmp_path, "original:x").read(["1.num_batches_tracked", "0.weight"]))
    assert list(read) == ["1.num_batches_tracked", "0.weight"]
    assert torch.equal(read["0.weight"], module[0].weight)


def test_writing_to_a_read_tensor_leaves_the_file_alone(tmp_path: Path) -> None:
    torch.save(some_tensors(), tmp_path / "consolidated.pth")
    before = (tmp_path / "consolidated.pth").read_bytes()
    for _, tensor in open_pickled(tmp_path, "original:x").read(some_tensors()):
        tensor.zero_()
    assert (tmp_path / "consolidated.pth").read_bytes() == before


class Code:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, ...]:
        return (os.mkdir, (str(self.marker),))


def test_code_in_a_pickle_is_not_run(tmp_path: Path) -> None:
    path = tmp_path / "consolidated.pth"
    torch.save({**some_tensors(), "x": Code(tmp_path / "ran")}, path)
    with pytest.raises(CheckpointError) as caught:
        open_pickled(path, "original:x")
    assert not (tmp_path / "ran").exists()
    assert str(caught.value) == (
        f"The file asks to run {os.mkdir.__module__}.mkdir; it was not run.\n"
        f"  where:    {path}\n"
        "  expected: tensors in dictionaries and nothing else: "
        "torch.save(model.state_dict(), path)\n"
        "  fix:      get the weights as safetensors; do not open this file with torch.load"
    )
    # the planted code is real
    torch.load(path, weights_only=False)
    assert (tmp_path / "ran").exists()
