"""The house keeps its own rules: floors, names, light imports, small functions."""

from __future__ import annotations

import ast
import os
import re
import statistics
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import plm_components
from plm_components.zoo import list_components

ROOT = Path(__file__).parent.parent
SOURCES = sorted((ROOT / "src").rglob("*.py"))
OURS = [entry for entry in list_components() if entry.provider.distribution == "plm-components"]


def _python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_arrows_only_point_down() -> None:
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert run.returncode == 0, run.stdout
    assert "0 broken" in run.stdout


def test_importing_the_package_loads_nothing_heavy() -> None:
    heavy = {"torch", "numpy", "PIL", "av", "transformers", "timm", "omegaconf", "pluggy", "rich"}
    run = _python(
        f"import sys, plm_components; sys.exit(str({heavy} & set(sys.modules) or '') or 0)"
    )

    assert run.stderr == ""
    assert run.returncode == 0


def test_importing_the_package_is_quick() -> None:
    # processor time: what else the machine is doing does not count
    def once() -> float:
        before = os.times()
        assert _python("import plm_components").returncode == 0
        after = os.times()
        return (after.children_user + after.children_system) - (
            before.children_user + before.children_system
        )

    assert statistics.median(once() for _ in range(5)) < 0.15


def test_everything_public_can_be_imported() -> None:
    assert dir(plm_components) == sorted(plm_components.__all__)
    assert [name for name in plm_components.__all__ if not hasattr(plm_components, name)] == []
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        _ = plm_components.nonsense


def test_no_file_is_a_drawer_for_everything() -> None:
    drawers = {"utils", "helpers", "common", "misc", "base"}

    assert [path for path in SOURCES if path.stem in drawers] == []


@pytest.mark.parametrize("entry", OURS, ids=lambda entry: entry.address)
def test_a_part_is_spelt_the_same_everywhere(entry) -> None:
    module, _, name = entry.component.target.partition(":")

    assert module.rpartition(".")[2] == entry.name
    # AvgPoolMLPProjector begins as avg_pool_mlp does, whatever the case
    assert name.lower().startswith(entry.name.replace("_", ""))
    assert hasattr(import_module(module), name)


def test_functions_are_small() -> None:
    lengths = [
        node.end_lineno - node.lineno + 1 - _docstring_lines(node)
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and node.end_lineno is not None
    ]

    assert statistics.median(lengths) <= 10
    assert statistics.quantiles(lengths, n=20)[-1] <= 30


def _docstring_lines(node: ast.FunctionDef) -> int:
    if ast.get_docstring(node) is None:
        return 0
    end = node.body[0].end_lineno
    return 0 if end is None else end - node.body[0].lineno + 1


def test_no_setting_hides_in_the_environment() -> None:
    reading = re.compile(r"environ\.get|environ\[|getenv")
    reads = [path for path in SOURCES if reading.search(path.read_text(encoding="utf-8"))]

    # which plugins are let in is decided before there is a spec or a command that could say so
    assert [path.name for path in reads] == ["choice.py"]


def test_every_package_of_tests_mirrors_one_of_the_sources() -> None:
    sources = {path.name for path in (ROOT / "src" / "plm_components").iterdir()}
    about_everything = {"contracts", "docs", "hostile", "plugins", "tiny", "__pycache__"}
    folders = {path.name for path in (ROOT / "tests").iterdir() if path.is_dir()}

    assert folders - about_everything - sources == set()
