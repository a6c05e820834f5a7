"""A runner of command lines, in this process."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pytest

from plm_components.cli import main


class Outcome(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str


Plm = Callable[..., Outcome]


@pytest.fixture
def plm(capsys: pytest.CaptureFixture[str]) -> Plm:
    """``plm("list", "--json")`` -> exit code, stdout, stderr; a traceback fails the test."""

    def run(*words: str) -> Outcome:
        code = main(words)
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return Outcome(code, captured.out, captured.err)

    return run
