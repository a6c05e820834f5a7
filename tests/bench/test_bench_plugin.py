"""The fixture ``kernel_bench``, in a pytest of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

# whatever a run inside of this one imports first is forgotten with it
from plm_components.bench import kernel_bench, section  # noqa: F401
from plm_components.bench.files import read

pytest_plugins = ["pytester"]

HERE = Path(__file__).parent
PREAMBLE = """
import gated_kernels as kernels
import pytest
import torch

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
MODE = "cold" if DEVICE == "cuda" else "cpu"
"""
HONEST = (
    PREAMBLE
    + """
def test_honest(kernel_bench):
    kernel_bench.run(kernels.gated(256, 256, device=DEVICE), kernels.contender(kernels.honest))
"""
)
SIDE_BY_SIDE = (
    PREAMBLE
    + """
def test_all(kernel_bench):
    makers = [kernels.honest, kernels.compiled_late, kernels.declines]
    contenders = [kernels.contender(maker) for maker in makers]
    operation = kernels.gated(256, 256, device=DEVICE)
    records = kernel_bench(operation, contenders, modes=[MODE])
    assert [record.part for record in records] == [maker.__name__ for maker in makers]
"""
)


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch):
    # only the plugins under test: whatever else is installed does not matter here
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    # these tests may run beside others, and what runs inside of them does not
    for name in ("PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT", "PYTEST_XDIST_TESTRUNUID"):
        monkeypatch.delenv(name, raising=False)
    # for those that run in a process of their own
    path = os.environ.get("PYTHONPATH")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(HERE), *([path] if path else [])]))
    both = ("-p", "pytest_benchmark.plugin", "-p", "plm_components.bench.plugin")

    def run(
        source: str, *args: str, plugins: tuple[str, ...] = both, apart: bool = False
    ) -> pytest.RunResult:
        pytester.makepyfile(source)
        # the outer pytest has loaded the plugin, from an editable installation without rewriting it
        loaded = ("-W", "ignore:Module already imported")
        strict = ("--strict-config", "--strict-markers", "-W", "error", *loaded)
        # in this process torch is loaded and the roofline known
        start = pytester.runpytest_subprocess if apart else pytester.runpytest_inprocess
        return start(*plugins, *strict, *args)

    return run


def test_the_plugin_is_declared() -> None:
    project = tomllib.loads((HERE.parents[1] / "pyproject.toml").read_text())
    entry_points = project["project"]["entry-points"]["pytest11"]
    assert entry_points["plm_components_bench"] == "plm_components.bench.plugin"


def test_loading_it_loads_nothing_heavy() -> None:
    heavy = "torch numpy pytest_benchmark matplotlib"
    code = (
        "import sys, plm_components.bench.plugin, plm_components.bench.fixture;"
        f"print([name for name in '{heavy}'.split() if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_one_contender_is_timed_through_pytest_benchmark(pytester, run) -> None:
    result = run(HONEST, "--benchmark-max-time=0.2", "--benchmark-json=out.json")

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*benchmark 'gated?rows=256,columns=256? float32 forward *"])
    result.stdout.fnmatch_lines(
        [
            "*= kernel_bench =*",
            "  part * median * TFLOP/s * GB/s * roofline * error *",
            "  honest * 1.00× *",
        ]
    )
    data = json.loads((pytester.path / "out.json").read_text())
    (record,) = read(pytester.path / "out.json").records
    assert record.rounds_s == tuple(data["benchmarks"][0]["stats"]["data"])
    assert len(record.rounds_s) >= 5
    assert data["benchmarks"][0]["options"]["timer"] == "kernel_bench"
    assert data["machine_info"]["plm_bench"]["torch"]


def test_several_contenders_run_side_by_side_and_each_enters_the_file(pytester, run) -> None:
    result = run(SIDE_BY_SIDE, "--benchmark-max-time=0.1", "--benchmark-json=out.json")

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["  declines: refused: It does no gates."])
    found = {record.part: record for record in read(pytester.path / "out.json").records}
    assert set(found) == {"honest", "compiled_late", "declines"}
    assert len(found["honest"].rounds_s) == len(found["compiled_late"].rounds_s) >= 4
    assert found["compiled_late"].conditions["first_call_s"] > 0.05
    compare = [sys.executable, "-m", "pytest_benchmark", "compare", "out.json"]
    done = subprocess.run(compare, cwd=pytester.path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("gated") >= 2


@pytest.mark.parametrize(
    ("cheat", "told"),
    [
        ("stale", "handed out in the memory of the call before"),
        ("after_the_gate", "in a timed round: output: largest error"),
    ],
)
def test_a_wrong_answer_fails_and_gets_no_time(pytester, run, cheat: str, told: str) -> None:
    source = HONEST.replace("kernels.honest", f"kernels.{cheat}").replace("honest", "it")
    result = run(source, "--benchmark-max-time=0.1", "--benchmark-json=out.json")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([f"*WrongAnswerError: Wrong, so without a time: {cheat}: *{told}*"])
    result.stdout.fnmatch_lines([f"  {cheat}: INVALID: *{told}*"])
    assert "Median" not in result.stdout.str(), "pytest-benchmark shows no time of it"
    found = read(pytester.path / "out.json")
    assert [(record.part, record.rounds_s) for record in found.records] == [(cheat, ())]


def test_a_wrong_one_beside_others_fails_after_they_are_recorded(pytester, run) -> None:
    source = SIDE_BY_SIDE.replace("kernels.declines", "kernels.mutating")
    result = run(source, "--benchmark-max-time=0.1", "--benchmark-json=out.json")

    result.assert_outcomes(failed=1)
    found = {record.part: record for record in read(pytester.path / "out.json").records}
    assert found["honest"].rounds_s
    assert not found["mutating"].rounds_s


def test_who_cannot_do_it_is_skipped_with_the_reason(run) -> None:
    result = run(HONEST.replace("kernels.honest", "kernels.declines"), "-rs")

    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["SKIPPED*declines: It does no gates."])


@pytest.mark.parametrize("source", [HONEST, SIDE_BY_SIDE])
def test_with_timing_off_the_gate_still_runs(run, source: str) -> None:
    result = run(source, "--benchmark-disable")

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(
        [
            "1 tests passed the gate and were not timed: --benchmark-disable",
            "inputs of seed 0, or of the test's own; a timed run draws fresh ones",
        ]
    )


def test_with_timing_off_a_wrong_answer_still_fails(run) -> None:
    result = run(HONEST.replace("kernels.honest", "kernels.lowered"), "--benchmark-disable")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*WrongAnswerError: Wrong, so without a time: lowered: *"])


def test_beside_neighbours_nothing_is_timed_and_it_says_so(run) -> None:
    plugins = ("pytest_benchmark.plugin", "plm_components.bench.plugin", "xdist.plugin")
    names = tuple(word for name in plugins for word in ("-p", name))
    # pytest-benchmark warns of it too
    result = run(HONEST, "-n1", "-W", "default", plugins=names, apart=True)

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["1 tests passed the gate and were not timed: pytest-xdist is on*"])


def test_without_pytest_benchmark_only_its_users_are_told(run) -> None:
    only = ("-p", "plm_components.bench.plugin")
    result = run(HONEST + "\ndef test_of_somebody_else(): pass\n", plugins=only)

    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*kernel_bench needs pytest-benchmark, and this pytest has none."])


@pytest.mark.parametrize("off", [(), ("--benchmark-disable",)], ids=["timed", "gated"])
def test_a_test_has_one_time(run, off: tuple[str, ...]) -> None:
    twice = HONEST + HONEST.splitlines()[-1] + "\n"
    result = run(twice, "--benchmark-max-time=0.02", *off)

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*UsageError: kernel_bench was used before in this test.*"])


def test_options_of_the_marker_count_or_are_refused(pytester, run) -> None:
    marked = HONEST.replace("\ndef ", "\n@pytest.mark.benchmark(OPTIONS)\ndef ")
    good = marked.replace("OPTIONS", "group='mine', min_rounds=9, max_time=0.01")
    result = run(good, "--benchmark-json=out.json")

    result.assert_outcomes(passed=1)
    (bench,) = json.loads((pytester.path / "out.json").read_text())["benchmarks"]
    assert bench["group"] == "mine"
    assert bench["stats"]["rounds"] >= 9
    result = run(marked.replace("OPTIONS", "timer=print"))
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*kernel_bench has its own rule for timer."])


def test_a_file_of_another_machine_is_called_not_comparable(pytester, run) -> None:
    run(HONEST, "--benchmark-max-time=0.05", "--benchmark-save=base")
    (saved,) = pytester.path.glob(".benchmarks/*/0001_base.json")
    result = run(HONEST, "--benchmark-max-time=0.05", "--benchmark-compare=0001")
    assert "machine_info is different" not in result.stderr.str()
    assert "NOT COMPARABLE" not in result.stdout.str()

    data = json.loads(saved.read_text())
    data["machine_info"]["plm_bench"] |= {"name": "Another One", "slug": "another-one"}
    saved.write_text(json.dumps(data))
    result = run(HONEST, "--benchmark-max-time=0.05", "--benchmark-compare=0001")
    result.stdout.fnmatch_lines(["NOT COMPARABLE: the file compared with is of Another One, *"])
