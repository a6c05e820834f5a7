"""The pytest plugin, run in a pytest of its own."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from plm_components.testing import checks_for

pytest_plugins = ["pytester"]

_PART = '''
from plm_components.projectors.linear import LinearProjector
from plm_components.zoo import Component


class Mine(LinearProjector):
    """(B, N, C) -> (B, N, D)."""

    def num_tokens(self, grid):
        return 7


def plm_register_components():
    yield Component("projector", "mine", "my_part:Mine")
'''


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch):
    # only the plugin under test: whatever else is installed does not matter here
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")

    def run(*args: str) -> pytest.RunResult:
        return pytester.runpytest_subprocess("-p", "plm_components.testing.plugin", *args)

    return run


def test_the_plugin_is_declared() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    entry_points = project["project"]["entry-points"]["pytest11"]
    assert entry_points["plm_components"] == "plm_components.testing.plugin"


def test_a_part_that_conforms_and_nothing_else_is_run(pytester: pytest.Pytester, run) -> None:
    pytester.makepyfile("def test_of_somebody_else(): assert False")
    result = run("--plm-conformance", "pooling/mean", "-v")
    result.assert_outcomes(passed=len(checks_for("pooling")))
    result.stdout.fnmatch_lines(
        ["plm-conformance::pooling/mean-defaults-agrees_with_float64 PASSED*"]
    )


def test_a_part_file_that_breaks_a_promise(pytester: pytest.Pytester, run) -> None:
    pytester.makepyfile(my_part=_PART)
    result = run("--plm-conformance", "./my_part.py", "-k", "shape_law or loads")
    result.assert_outcomes(passed=1, failed=1, deselected=len(checks_for("projector")) - 2)
    result.stdout.fnmatch_lines(
        [
            "projector/mine does not keep its promise: (B, h[*]w, in_dim) gives *",
            "  check:   shape_law",
            "  example: defaults {}",
            "  seen:    grid 12x12: (2, 144, 64), promised (2, 7, 64)",
        ]
    )
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_an_unknown_name_is_a_usage_error(run) -> None:
    result = run("--plm-conformance", "poolin")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*Nothing in the zoo is called 'poolin'.*"])


def test_named_test_files_run_beside_it(pytester: pytest.Pytester, run) -> None:
    path = pytester.makepyfile(
        test_mine="from plm_components.testing import conformance_test\n"
        "test_conformance = conformance_test('pooling/mean')\n"
        "def test_of_mine(): pass\n"
    )
    result = run("--plm-conformance", "pooling/adaptive", "-k", "of_mine or loads", str(path))
    result.assert_outcomes(passed=3, deselected=2 * len(checks_for("pooling")) - 2)


def test_loading_the_plugin_imports_nothing_heavy() -> None:
    code = (
        "import sys, pytest; import plm_components.testing.plugin; "
        "heavy = {'torch', 'numpy', 'yaml', 'omegaconf', 'PIL', 'av'} & set(sys.modules); "
        "print(sorted(heavy), sorted(m for m in sys.modules if m.startswith('plm_components')))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = "['plm_components', 'plm_components.testing', 'plm_components.testing.outcome',"
    assert out.stdout.strip() == f"[] {loaded} 'plm_components.testing.plugin']"


def test_another_device_is_named_and_asked_for_by_an_option(run) -> None:
    result = run("--plm-conformance", "pooling/mean", "--plm-device", "meta")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*The checks cannot run on 'meta': *"])
    result = run("--plm-conformance", "pooling/mean", "--plm-device", "cpu", "-k", "loads")
    result.assert_outcomes(passed=1, deselected=len(checks_for("pooling")) - 1)
    result.stdout.fnmatch_lines(["plm-conformance checked by contract: pooling 1 on cpu"])


def test_a_plugins_own_test_runs_where_the_option_says(pytester: pytest.Pytester, run) -> None:
    pytester.makeconftest("import torch._lazy.ts_backend as lazy\nlazy.init()\n")
    path = pytester.makepyfile(
        test_mine="from plm_components.testing import conformance_test\n"
        "test_conformance = conformance_test('pooling/mean', 'video_sampler/fps')\n"
    )
    result = run("--plm-device", "lazy", "-k", "deterministic", "-rs", str(path))
    result.assert_outcomes(passed=1, skipped=1)
    result.stdout.fnmatch_lines(["*a video_sampler runs on the cpu, wherever the model is*"])
