"""`.ci/run` around a stand-in for make: clean settings, the closing line last, the exit code."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

RUN = Path(__file__).parent.parent / ".ci" / "run"


def _run(folder: Path, script: str) -> subprocess.CompletedProcess[str]:
    make = folder / "make"
    make.write_text(f"#!/bin/sh\n{script}\n")
    make.chmod(0o755)
    settings = {
        **os.environ,
        "PATH": f"{folder}:{os.environ['PATH']}",
        "PLM_SOMETHING": "inherited",
        "PYTHONPATH": "/nowhere",
    }
    return subprocess.run([RUN], env=settings, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("closing", "code"),
    [
        ("3025 passed, 7 skipped in 364.97s (0:06:04)", 0),
        ("1 failed, 3 passed, 1 warning in 5.00s", 1),
        ("1 failed, 5 errors in 0.12s", 2),
    ],
)
def test_pytest_has_the_last_word(tmp_path: Path, closing: str, code: int) -> None:
    run = _run(
        tmp_path, f"echo 'checking 7 files in 1.0s'; echo '{closing}'; echo done; exit {code}"
    )

    assert run.stdout.splitlines()[-2:] == ["done", closing]
    assert run.returncode == code


def test_an_installation_that_fails_is_a_failure(tmp_path: Path) -> None:
    run = _run(tmp_path, "echo 'no space left' >&2; exit 2")

    assert run.stdout.splitlines() == ["no space left", "pytest did not run"]
    assert run.returncode == 2


def test_make_sees_a_fresh_environment_and_no_settings(tmp_path: Path) -> None:
    run = _run(tmp_path, 'echo "$@"; env')
    arguments, *settings = run.stdout.splitlines()

    assert arguments.startswith("test VENV=")
    assert not Path(arguments.partition("VENV=")[2]).parent.exists(), "what it made is removed"
    names = {line.partition("=")[0] for line in settings}
    assert names.isdisjoint({"PLM_SOMETHING", "PYTHONPATH", "VIRTUAL_ENV", "MAKEFLAGS"})
