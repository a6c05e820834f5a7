"""An export that is killed, or that the disk refuses, leaves the old directory or none."""

from __future__ import annotations

import os
import signal
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import plm_components as plm
from plm_components.errors import CheckpointError
from plm_exports import contents, plm_spec, publish_tokenizer

_DONE, _REFUSED, _FAILED = 0, 3, 4

resource = pytest.importorskip("resource", reason="children are forked, and limited")


@pytest.fixture(scope="module")
def variant(tmp_path_factory: pytest.TempPathFactory) -> plm.Variant:
    tokenizer = publish_tokenizer(tmp_path_factory.mktemp("tokenizer"))
    return plm.assemble(plm_spec(tokenizer), init="random")


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> plm.Variant:
    tokenizer = publish_tokenizer(tmp_path_factory.mktemp("tokenizer"))
    return plm.assemble(plm_spec(tokenizer), init="random", seed=1)


def in_child(work: Callable[[], int]) -> int:
    """Exit code of a forked child; below zero the signal that ended it."""
    with warnings.catch_warnings():
        # a child that starts no thread may inherit memory from a process that did
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        code = _FAILED
        try:
            code = work()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def killed_at(moment: int, folder: Path, work: Callable[[], Any]) -> Callable[[], int]:
    """The work, in a process that dies when it touches the folder for the ``moment``-th time."""
    seen = 0

    def watch(event: str, args: tuple[Any, ...]) -> None:
        nonlocal seen
        if event.startswith(("open", "os.", "shutil.")) and str(folder) in str(args):
            seen += 1
            if seen == moment:
                os.kill(os.getpid(), signal.SIGKILL)

    def run() -> int:
        sys.addaudithook(watch)
        work()
        return _DONE

    return run


@pytest.mark.parametrize("format", ["hf", "original"])
@pytest.mark.parametrize("there_before", [False, True])
def test_killed_at_any_moment(
    format: Any,
    there_before: bool,
    variant: plm.Variant,
    other: plm.Variant,
    tmp_path: Path,
) -> None:
    variant.export(tmp_path / "new", format=format)
    new, old = contents(tmp_path / "new"), {}
    if there_before:
        other.export(tmp_path / "old", format=format)
        old = contents(tmp_path / "old")
    kills, seen_old, seen_new = 0, 0, 0
    while True:
        folder = tmp_path / f"at-{kills + 1}"
        folder.mkdir()
        target = folder / "out"
        if there_before:
            other.export(target, format=format)

        def work(target: Path = target) -> None:
            variant.export(target, format=format, overwrite=True)

        code = in_child(killed_at(kills + 1, folder, work))
        found = contents(target) if target.exists() else {}
        assert found in (old, new)
        if code == _DONE:
            break
        assert code == -signal.SIGKILL
        kills += 1
        seen_old += found == old
        seen_new += found == new
    assert found == new
    # a directory made, files opened, written and flushed, put in place, the old one taken away
    assert kills > 10
    assert seen_old > 5


@pytest.mark.parametrize("format", ["hf", "original"])
@pytest.mark.parametrize("there_before", [False, True])
@pytest.mark.parametrize("room", [0, 1000, 200_000])
def test_a_disk_that_refuses(
    format: Any,
    there_before: bool,
    room: int,
    variant: plm.Variant,
    other: plm.Variant,
    tmp_path: Path,
) -> None:
    target = tmp_path / "out"
    if there_before:
        other.export(target, format=format)
    old = contents(target) if there_before else {}

    def work() -> int:
        # the kernel refuses every byte behind this, in any file, whoever writes it
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
        try:
            variant.export(target, format=format, overwrite=True)
        except CheckpointError as error:
            return _REFUSED if error.where == str(target) else _FAILED
        return _DONE

    assert in_child(work) == _REFUSED
    assert (contents(target) if target.exists() else {}) == old
    assert [path.name for path in tmp_path.iterdir()] == (["out"] if there_before else [])
