"""How the benchmarks run: threads fixed, kernels side by side, ratios against the oracle printed.

``pytest benchmarks --benchmark-disable`` (the default of this repository) runs every benchmark
once at small shapes: a smoke test. ``make bench`` times them at the shapes of the models.
"""

from __future__ import annotations

import os
import sys
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

# read by OpenMP when torch loads it: a thread that spins between operations steals the other's core
_LATE = "torch" in sys.modules
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import pytest  # noqa: E402
import torch  # noqa: E402
from bench_ledger import Ledger, Row  # noqa: E402

_LEDGER = pytest.StashKey[Ledger]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_LEDGER] = Ledger()
    torch.set_num_threads(_threads())


def pytest_report_header(config: pytest.Config) -> str:
    late = " (torch was loaded before: may not count)" if _LATE else ""
    policy = os.environ["OMP_WAIT_POLICY"] + late
    what = "smoke test, small shapes" if is_smoke(config) else "timed, shapes of the models"
    return f"benchmarks: {what}; {torch.get_num_threads()} threads, OMP_WAIT_POLICY={policy}"


def pytest_benchmark_update_machine_info(config: pytest.Config, machine_info: Any) -> None:
    machine_info["torch"] = torch.__version__
    machine_info["threads"] = torch.get_num_threads()
    machine_info["omp_wait_policy"] = os.environ["OMP_WAIT_POLICY"]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Gives ``shape`` the list its module names, small or as the models have it."""
    if "shape" in metafunc.fixturenames:
        shapes = metafunc.module.SMALL if is_smoke(metafunc.config) else metafunc.module.SHAPES
        metafunc.parametrize("shape", shapes, ids=str)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    rows: dict[str, list[Row]] = defaultdict(list)
    for row in config.stash[_LEDGER].rows:
        rows[row.group].append(row)
    if rows:
        terminalreporter.section("medians against the oracle, in this run")
    for group, members in rows.items():
        terminalreporter.line(group)
        for line in Ledger.lines(members):
            terminalreporter.line(line)


@pytest.fixture
def ledger(request: pytest.FixtureRequest) -> Ledger:
    """Where a timed benchmark writes its median."""
    return request.config.stash[_LEDGER]


@pytest.fixture(autouse=True)
def without_gradients() -> Iterator[None]:
    """Inference; benchmarks of the backward pass say ``enable_grad`` themselves."""
    with torch.no_grad():
        yield


def is_smoke(config: pytest.Config) -> bool:
    """Whether nothing is timed."""
    return bool(config.getoption("benchmark_disable"))


def _threads() -> int:
    """What the environment says, or every core this process may use."""
    return int(os.environ.get("OMP_NUM_THREADS") or len(os.sched_getaffinity(0)))
