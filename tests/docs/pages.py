"""Code blocks of a page, and how each language is run."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import yaml

import plm_components
from plm_components.cli import main

ROOT = Path(__file__).parent.parent.parent
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
# a block that begins with its file's name is that file
_NAMED = re.compile(r"# (\S+\.\w+)\n")
_PIPE = re.compile(r" \| tail -(\d+)$")


@dataclass(frozen=True)
class Block:
    """One fenced block.

    Args:
        language: Behind the fence.
        text: Between the fences.
        line: Of the fence, from 1.
    """

    language: str
    text: str
    line: int


def blocks(page: Path) -> list[Block]:
    """Every fenced block of a page, in order."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(found.group(1), found.group(2), text.count("\n", 0, found.start()) + 1)
        for found in _FENCE.finditer(text)
    ]


def run(block: Block) -> None:
    """Runs a block in the working directory; raises where it does not do what it says."""
    name = _NAMED.match(block.text)
    if name is not None:
        Path(name.group(1)).write_text(block.text, encoding="utf-8")
    if block.text.startswith("# skip: "):
        return
    if block.language == "python" and name is None:
        exec(compile(block.text, f"line {block.line}", "exec"), {"__name__": "page"})
    elif block.language == "yaml":
        report = plm_components.check(yaml.safe_load(block.text))
        assert report.ok, report
    elif block.language == "bash":
        for command in _commands(block.text):
            assert_succeeds(command)
    elif block.language == "console":
        for command, expected in _transcript(block.text):
            assert _output(command) == expected
    else:
        assert block.language in ("text", "python"), f"line {block.line}: {block.language!r}"


def _commands(text: str) -> Iterator[str]:
    for line in text.replace("\\\n", "").splitlines():
        command = line.partition("  #")[0].strip()
        if command:
            yield command


def _transcript(text: str) -> Iterator[tuple[str, str]]:
    for entry in re.split(r"^\$ ", text, flags=re.M)[1:]:
        command, _, output = entry.partition("\n")
        yield command, output


def _output(command: str) -> str:
    """What a plm command prints, whatever its exit code."""
    tail = _PIPE.search(command)
    words = shlex.split(_PIPE.sub("", command))
    assert words[0] == "plm", command
    with redirect_stdout(StringIO()) as said:
        main(words[1:])
    lines = said.getvalue().splitlines(keepends=True)
    return "".join(lines if tail is None else lines[-int(tail.group(1)) :])


def assert_succeeds(command: str) -> None:
    """Runs one command of a bash block; those that would install are only read."""
    words = shlex.split(command)
    if words[0] == "plm":
        assert main(words[1:]) == 0, command
    elif words[0] == "make":
        # what make would do: the target exists and so does what it needs
        plan = _plan(words[1:])
        assert plan.returncode == 0, plan.stderr
    elif words[0] == "pytest":
        subprocess.run([sys.executable, "-m", *words], check=True, capture_output=True)
    else:
        assert command == "source .venv/bin/activate", command


def _plan(targets: list[str]) -> subprocess.CompletedProcess[bytes]:
    # not the flags of a make that runs these tests
    settings = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    command = ["make", "-n", *targets]
    return subprocess.run(command, cwd=ROOT, env=settings, check=False, capture_output=True)
