"""A saved directory is whole or absent: the old one survives whatever interrupts a save."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from plm_components.atomic import atomic_directory, atomic_file


def names(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()}


def test_a_finished_block_creates_the_directory_and_its_parents(tmp_path: Path) -> None:
    with atomic_directory(tmp_path / "a" / "b") as staging:
        (staging / "f").write_text("new")
    assert (tmp_path / "a" / "b" / "f").read_text() == "new"
    assert names(tmp_path / "a") == {"b"}


def test_nothing_is_visible_before_the_end(tmp_path: Path) -> None:
    with atomic_directory(tmp_path / "v") as staging:
        (staging / "f").write_text("new")
        assert not (tmp_path / "v").exists()


def test_a_replaced_directory_keeps_nothing_of_the_old(tmp_path: Path) -> None:
    (tmp_path / "v").mkdir()
    (tmp_path / "v" / "old").write_text("old")
    with atomic_directory(tmp_path / "v") as staging:
        (staging / "f").write_text("new")
    assert names(tmp_path / "v") == {"f"}
    assert names(tmp_path) == {"v"}


def test_a_link_to_a_directory_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "old").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with atomic_directory(tmp_path / "link") as staging:
        (staging / "f").write_text("new")
    assert (tmp_path / "link").is_symlink()
    assert names(tmp_path / "real") == {"f"}


@pytest.mark.parametrize("there_before", [False, True])
def test_an_error_in_the_middle_leaves_the_old_or_nothing(
    tmp_path: Path, there_before: bool
) -> None:
    target = tmp_path / "v"
    if there_before:
        target.mkdir()
        (target / "old").write_text("old")

    def interrupted() -> None:
        with atomic_directory(target) as staging:
            (staging / "f").write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert names(tmp_path) == ({"v"} if there_before else set())
    assert not there_before or names(target) == {"old"}


def test_without_an_exchange_call_the_directory_is_replaced_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "other")
    test_a_replaced_directory_keeps_nothing_of_the_old(tmp_path)


KILLED = """
import sys, time
from pathlib import Path
from plm_components.atomic import atomic_directory, atomic_file
with atomic_directory(Path(sys.argv[1])) as staging:
    (staging / "f").write_text("half")
    print("writing", flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("there_before", [False, True])
def test_a_killed_process_leaves_the_old_or_nothing(tmp_path: Path, there_before: bool) -> None:
    target = tmp_path / "v"
    if there_before:
        target.mkdir()
        (target / "old").write_text("old")
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(target)], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        os.kill(process.pid, signal.SIGKILL)
    assert target.exists() == there_before
    assert not there_before or names(target) == {"old"}


def test_a_reader_never_misses_the_directory_while_it_is_replaced(tmp_path: Path) -> None:
    if not sys.platform.startswith("linux"):
        pytest.skip("only Linux exchanges directories in one step")
    target = tmp_path / "v"
    script = "\n".join(
        [
            "import sys",
            "from pathlib import Path",
            "from plm_components.atomic import atomic_directory",
            "for i in range(60):",
            "    with atomic_directory(Path(sys.argv[1])) as staging:",
            "        (staging / 'f').write_text(str(i))",
        ]
    )
    with atomic_directory(target) as staging:
        (staging / "f").write_text("first")
    with subprocess.Popen([sys.executable, "-c", script, str(target)]) as process:
        missed = 0
        while process.poll() is None:
            missed += not target.is_dir()
            time.sleep(0)
    assert process.returncode == 0
    assert missed == 0


def test_a_file_appears_with_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "other").write_text("")
    with atomic_file(tmp_path / "f.txt", overwrite=False) as staging:
        staging.write_text("new")
        assert not (tmp_path / "f.txt").exists()
    assert (tmp_path / "f.txt").read_text() == "new"
    assert (tmp_path / "f.txt").stat().st_mode == (tmp_path / "other").stat().st_mode
    assert names(tmp_path) == {"f.txt", "other"}


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_file_that_fails_leaves_the_old_one(tmp_path: Path, overwrite: bool) -> None:
    (tmp_path / "f.txt").write_text("old")

    def fail_halfway() -> None:
        with atomic_file(tmp_path / "f.txt", overwrite=overwrite) as staging:
            staging.write_text("half")
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail_halfway()
    assert (tmp_path / "f.txt").read_text() == "old"
    assert names(tmp_path) == {"f.txt"}


def test_a_file_is_replaced_only_where_that_is_said(tmp_path: Path) -> None:
    (tmp_path / "f.txt").write_text("old")
    with (
        pytest.raises(FileExistsError),
        atomic_file(tmp_path / "f.txt", overwrite=False) as staging,
    ):
        staging.write_text("new")
    assert (tmp_path / "f.txt").read_text() == "old"
    with atomic_file(tmp_path / "f.txt", overwrite=True) as staging:
        staging.write_text("new")
    assert (tmp_path / "f.txt").read_text() == "new"
    assert names(tmp_path) == {"f.txt"}
