"""Whole directories of every format that lie: through ``plm.load`` and the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
import torch

import plm_components as plm
from plm_components.cli import main
from plm_components.errors import CheckpointError, SpecError, UnavailableError
from published import save_small
from small_specs import tiny_spec


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("published") / "hf"
    save_small(directory)
    return directory


@pytest.fixture
def hf(published: Path, tmp_path: Path) -> Path:
    return Path(copytree(published, tmp_path / "hf"))


def edit(directory: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    path = directory / "config.json"
    config = json.loads(path.read_text())
    change(config)
    path.write_text(json.dumps(config))


def test_the_directory_itself_is_no_fault(hf: Path) -> None:
    assert plm.load(hf).receipt.num_tensors > 0


@pytest.mark.parametrize("key", ["hidden_size", "vocab_size", "intermediate_size"])
def test_sizes_that_are_not_those_of_the_tensors(hf: Path, key: str) -> None:
    edit(hf, lambda config: config["text_config"].update({key: 10**9}))
    with pytest.raises(CheckpointError) as caught:
        plm.load(hf)
    assert caught.value.what.startswith("The weights do not fit the spec (tensors missing: 0, ")
    assert "1000000000" in caught.value.expected
    assert len(str(caught.value).splitlines()) == 4


@pytest.mark.parametrize("size", [-1, 0, "32", 1.5, True, None, [], {}, 10**30])
def test_sizes_that_are_none(hf: Path, size: Any) -> None:
    edit(hf, lambda config: config["vision_config"]["model_args"].update(embed_dim=size))
    with pytest.raises(CheckpointError) as caught:
        plm.load(hf)
    found = "There is no embed_dim" if size is None else f"embed_dim is {json.dumps(size)}"
    allowed = "a whole number" if size is None else f"a whole number from 1 to {2**31}"
    assert str(caught.value) == (
        f"{found}.\n"
        f"  where:    {hf / 'config.json'}: vision_config: model_args\n"
        f"  expected: embed_dim: {allowed}\n"
        "  fix:      fetch the file again from where the checkpoint came"
    )


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"\xff\xfe{}", "it is not UTF-8 text (byte 0)"),
        (b'{"a":' * 10_000, "it nests too deeply"),
        (b'{"hidden_size": NaN}', "NaN is no number of JSON"),
        (b'{"a": 1, "a": 2}', "the key 'a' stands twice"),
        (b"[]", "it holds a list"),
        (b"", "Expecting value: line 1 column 1 (char 0)"),
        (b" " * (2**20 + 1), "it is larger than 1,048,576 bytes"),
    ],
    ids=["bytes", "nested", "NaN", "a key twice", "a list", "empty", "too long"],
)
def test_a_configuration_that_is_none(hf: Path, content: bytes, why: str) -> None:
    (hf / "config.json").write_bytes(content)
    with pytest.raises(CheckpointError) as caught:
        plm.load(hf)
    assert str(caught.value) == (
        f"The configuration cannot be read: {why}.\n"
        f"  where:    {hf / 'config.json'}\n"
        "  expected: a JSON object in UTF-8\n"
        "  fix:      fetch the file again from where the checkpoint came"
    )


class Runs:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, (str(self.marker),))


def code_in_a_pickle(directory: Path) -> None:
    torch.save({"model": Runs(directory / "ran")}, directory / "consolidated.pth")
    (directory / "params.json").write_text('{"model": {}}')


def truncated_weights(directory: Path) -> None:
    path = Path(next(directory.glob("*.safetensors")))
    path.write_bytes(path.read_bytes()[:-7])


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (lambda d: (d / "plm.lock").write_text("[]"), "The lock cannot be read: "),
        (
            lambda d: (d / "plm.yaml").write_text("decoder: !!python/name:os.system"),
            "The spec cannot",
        ),
        (
            lambda d: (d / "plm.yaml").write_bytes(b"\xff"),
            "The spec cannot be read: it is not UTF-8",
        ),
        (truncated_weights, "The weights file cannot be read: "),
        (lambda d: (d / "model.safetensors").unlink(), "There is no weights file."),
    ],
    ids=["lock", "code in a spec", "bytes for a spec", "truncated", "no weights"],
)
def test_the_command_line_says_it_in_four_lines(
    copy: Path, capsys: pytest.CaptureFixture[str], spoil: Callable[[Path], Any], what: str
) -> None:
    spoil(copy)
    assert main(["ask", str(copy), "what?"]) == 1
    out, err = capsys.readouterr()
    assert (out, len(err.splitlines())) == ("", 4)
    assert err.startswith(what)


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (code_in_a_pickle, f"The file asks to run {os.mkdir.__module__}.mkdir; it was not run."),
        (lambda d: (d / "config.json").write_text("{"), "The configuration cannot be read: "),
    ],
    ids=["code in a pickle", "no configuration"],
)
def test_so_it_does_of_other_formats(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], spoil: Callable[[Path], Any], what: str
) -> None:
    spoil(tmp_path)
    assert main(["ask", str(tmp_path), "what?"]) == 1
    out, err = capsys.readouterr()
    assert (out, len(err.splitlines())) == ("", 4)
    assert err.startswith(what)
    assert not (tmp_path / "ran").exists()


def test_half_a_character_is_told_and_not_printed(tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text('base: plm-tiny\ntokenizer: {words: "\\uD800"}\n')
    with pytest.raises(SpecError) as caught:
        plm.check(tmp_path / "spec.yaml")
    assert caught.value.what == r"'\ud800' is no Unicode text."


def test_a_spec_that_is_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "spec.yaml")
    with pytest.raises(SpecError) as caught:
        plm.check(tmp_path / "spec.yaml")
    assert caught.value.what == "The spec cannot be read: it is no regular file."


def test_random_weights_that_no_machine_holds() -> None:
    with pytest.raises(UnavailableError) as caught:
        plm.assemble(tiny_spec(), overrides=["decoder.vocab_size=1000000000000"], init="random")
    assert caught.value.what.startswith("The weights take 128,000,")
    assert caught.value.where == "init='random'"
    assert caught.value.fix == "choose a smaller model, or init='meta' for shapes only"


MEASURE = """
import resource, sys, warnings
from pathlib import Path
from plm_components.checkpoints import open_pickled, open_tensors
from plm_components.errors import PlmError

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

here = Path(sys.argv[1])
before = peak()
for path in sorted(here.iterdir()):
    try:
        is_pickle = (path / "consolidated.pth").exists()
        open_pickled(path, "x") if is_pickle else open_tensors(path, "plm:x")
    except PlmError:
        pass
    else:
        sys.exit(f"{path} was read")
print(peak() - before)
"""


def test_hostile_weights_take_no_memory(tmp_path: Path) -> None:
    for name, header in {
        "terabyte": b'{"a": {"dtype": "F32", "shape": [274877906944], "data_offsets": [0, 4]}}',
        "long header": b" " * 10**8,
        "many keys": b'{"__metadata__": {' + b'"k": "v", ' * 10**7 + b'"z": ""}}',
    }.items():
        (tmp_path / name).mkdir()
        data = len(header).to_bytes(8, "little") + header + bytes(4)
        (tmp_path / name / "model.safetensors").write_bytes(data)
    shared = torch.ones(1000)
    for name, content in {
        "expanded": {"a": torch.ones(1).expand(2**40)},
        "bytes": {"a": torch.ones(1), "optim": [b"x" * 2**23]},
        "shared": {str(n): shared for n in range(1000)},
    }.items():
        (tmp_path / name).mkdir()
        torch.save(content, tmp_path / name / "consolidated.pth")
    run = subprocess.run(
        [sys.executable, "-c", MEASURE, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    assert int(run.stdout) < 64, f"{run.stdout} MiB more than importing takes"
