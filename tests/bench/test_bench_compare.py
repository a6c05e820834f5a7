"""``kernel_bench.compare`` and the marker ``plm_budget``, in a pytest of its own."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

HERE = Path(__file__).parent
PAIR = """
import gated_kernels as kernels
import pytest
from test_compare import off, thrice, unable

HONEST, THRICE = kernels.contender(kernels.honest), kernels.contender(thrice)

{marker}
def test_pair(kernel_bench):
    found = kernel_bench.compare(kernels.gated(256, 128), {pair})
    print("found", found and found.finding)
"""
Run = Callable[..., pytest.RunResult]


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    # in a worker of xdist pytest-benchmark switches itself off
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    path = os.environ.get("PYTHONPATH")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(HERE), *([path] if path else [])]))
    plugins = ("-p", "pytest_benchmark.plugin", "-p", "plm_components.bench.plugin")

    def run(pair: str, *args: str, marker: str = "") -> pytest.RunResult:
        pytester.makepyfile(PAIR.format(pair=pair, marker=marker))
        strict = ("--strict-markers", "-W", "error", "-s", "--benchmark-max-time=0.1")
        return pytester.runpytest_subprocess(*plugins, *strict, *args)

    return run


def test_a_candidate_beyond_its_budget_fails(pytester: pytest.Pytester, run: Run) -> None:
    marker = "@pytest.mark.plm_budget('10%')"
    result = run("HONEST, THRICE", "--benchmark-json=out.json", marker=marker)

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["thrice against honest: slower: *x the time [[]*[]], 99 % sure over * budget 10 %, *"]
    )
    # the comparison is kept, and each time
    data = json.loads((pytester.path / "out.json").read_text())
    parts = [bench["extra_info"]["plm_bench"]["part"] for bench in data["benchmarks"]]
    assert sorted(parts) == ["honest", "honest (again)", "thrice"]
    kept = [b["extra_info"].get("plm_comparison") for b in data["benchmarks"]]
    comparison = next(one for one in kept if one is not None)
    assert (comparison["finding"], comparison["budget"]) == ("slower", 0.1)


def test_a_candidate_that_is_faster_passes(run: Run) -> None:
    result = run("THRICE, HONEST")

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*found faster"])
    result.stdout.fnmatch_lines(["  honest against thrice: faster: *budget 3 %*"])


def test_with_timing_off_both_are_examined_only(run: Run) -> None:
    run("HONEST, THRICE", "--benchmark-disable").assert_outcomes(passed=1)

    result = run("HONEST, kernels.contender(off)", "--benchmark-disable")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*WrongAnswerError: Wrong, so without a time: off: *"])


def test_who_cannot_is_an_error(run: Run) -> None:
    result = run("HONEST, kernels.contender(unable)", "--benchmark-disable")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*UnsupportedError: unable does not compete: unable cannot."])


@pytest.mark.parametrize("marker", ["()", "(budget=3)"])
def test_a_marker_that_is_no_budget_is_an_error(run: Run, marker: str) -> None:
    # pytest-benchmark warns of tests that do not get as far as it
    unused = "ignore::pytest_benchmark.logger.PytestBenchmarkWarning"
    result = run("HONEST, THRICE", "-W", unused, marker=f"@pytest.mark.plm_budget{marker}")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*UsageError: * is no budget."])
