"""Where examples come from, and what is said of bad ones."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from plm_components.errors import PluginError
from plm_components.testing import Case, cases_of
from plm_components.zoo import Component, Entry, Zoo

_PART = """
from plm_components.projectors.linear import LinearProjector

class Mine(LinearProjector):
    "(B, N, C) -> (B, N, D)."
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An importable package with a part in it."""
    home = tmp_path / "plm_example_parts"
    home.mkdir()
    (home / "__init__.py").write_text(_PART)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "plm_example_parts", raising=False)
    return home


def _entry() -> Entry:
    return Zoo().add(Component("projector", "mine", "plm_example_parts:Mine"))


def test_a_package_without_examples_is_tested_with_defaults(package: Path) -> None:
    assert cases_of(_entry()) == [Case("defaults", {}, {})]
    assert "plm_example_parts" not in sys.modules, "finding examples must not import the package"


def test_examples_give_options_and_wired_arguments_apart(package: Path) -> None:
    text = "projector/mine:\n  plain: {}\n  wide: {in_dim: 96, bias: false}\n"
    (package / "conformance.yaml").write_text(text)
    assert cases_of(_entry()) == [
        Case("plain", {}, {}),
        Case("wide", {"bias": False}, {"in_dim": 96}),
    ]


def test_a_package_may_say_that_nothing_builds_without_files(package: Path) -> None:
    (package / "conformance.yaml").write_text("projector/mine: {}\n")
    assert cases_of(_entry()) == []


def test_a_single_file_has_its_examples_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = (
        "from plm_components.zoo import Component\n"
        "def plm_register_components():\n"
        "    yield Component('projector', 'mine', 'lone_part:Mine')\n"
    )
    (tmp_path / "lone_part.py").write_text(_PART + hook)
    (tmp_path / "lone_part.conformance.yaml").write_text("projector/mine: {unbiased: {bias: no}}")
    (entry,) = Zoo().add_file(tmp_path / "lone_part.py")
    assert cases_of(entry) == [Case("unbiased", {"bias": False}, {})]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("projector/mine: [pool", "it is no YAML"),
        ("projector/mine: 3", "3 stands where a mapping should"),
        ("projector/mine: {small: 3}", "3 stands where a mapping should"),
        ("- a list", "['a list'] stands where a mapping should"),
    ],
)
def test_malformed_examples_are_one_clear_error(package: Path, text: str, why: str) -> None:
    (package / "conformance.yaml").write_text(text)
    with pytest.raises(PluginError) as caught:
        cases_of(_entry())
    assert caught.value.what.startswith("The examples for the conformance kit cannot be read: ")
    assert why in caught.value.what
    assert caught.value.where == str(package / "conformance.yaml")
    assert caught.value.fix == "projector/my_part: {small: {pool: 2}}"
