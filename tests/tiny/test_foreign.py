"""plm-tiny answers about files that its world's renderer did not make."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

import plm_components as plm

_SPEC = importlib.util.spec_from_file_location("foreign", Path(__file__).with_name("foreign.py"))
foreign = importlib.util.module_from_spec(_SPEC)
sys.modules["foreign"] = foreign
_SPEC.loader.exec_module(foreign)
FILES = list(foreign.foreign_files())


@pytest.fixture(scope="module")
def variant():
    return plm.assemble("plm-tiny")


def test_there_are_at_least_twenty_of_several_kinds():
    assert len(FILES) >= 20
    suffixes = {Path(one.name).suffix for one in FILES}
    assert suffixes >= {".png", ".jpg", ".webp", ".mp4", ".webm"}


@pytest.mark.parametrize("one", FILES, ids=[one.name for one in FILES])
def test_a_foreign_file_is_answered(one, variant, tmp_path):
    path = tmp_path / one.name
    one.draw(path)
    medium = {one.medium: path}
    answers = [variant.ask(question, **medium) for question, _ in one.asked]
    assert answers == [answer for _, answer in one.asked]


@pytest.mark.parametrize("name", ["red-circle.png", "right.mp4"])
def test_the_command_answers_too(name, tmp_path):
    one = next(one for one in FILES if one.name == name)
    path = tmp_path / name
    one.draw(path)
    question, answer = one.asked[0]
    command = [sys.executable, "-m", "plm_components", "ask", "plm-tiny", question]
    done = subprocess.run(
        [*command, f"--{one.medium}", str(path), "--json"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout)["answer"] == answer
