"""docs/publish-a-part.md, command by command, in the clean environment."""

from __future__ import annotations

import re
import shlex
import subprocess

import pytest
from clean_environment import ROOT, CleanEnvironment

pytestmark = pytest.mark.timeout(600)
PAGE = ROOT / "docs" / "publish-a-part.md"
# the dependencies are there already, and the network is not asked
OFFLINE = ["--disable-pip-version-check", "--no-deps", "--no-build-isolation", "--no-index"]


def done(clean: CleanEnvironment, line: str) -> subprocess.CompletedProcess[str]:
    program, *words = shlex.split(line)
    if program == "pip":
        return clean.run("-m", "pip", words[0], *OFFLINE, *words[1:])
    assert program == "plm", line
    return clean.run("-m", "plm_components", *words)


def test_the_page_does_what_it_says(clean: CleanEnvironment) -> None:
    fences = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.M | re.S)
    commands = 0
    for language, text in fences:
        if language == "console":
            command, _, expected = text.removeprefix("$ ").partition("\n")
            assert done(clean, command).stdout == expected
            commands += 1
        elif language == "bash":
            for line in text.splitlines():
                outcome = done(clean, line)
                assert outcome.returncode == 0, f"{line}\n{outcome.stdout}{outcome.stderr}"
                commands += 1
        else:
            files = [line.split()[0] for line in text.splitlines()]
            assert [name for name in files if not (clean.folder / name).is_file()] == []
    assert commands == 7
    assert [path.suffix for path in (clean.folder / "dist").iterdir()] == [".whl"]
