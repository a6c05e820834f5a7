"""How the suites run: one test an operation, at the sizes of the models or at small ones.

``pytest benchmarks --benchmark-disable`` (the default of this repository) holds every kernel to
float64 at small sizes and times nothing: a smoke test. ``make bench`` times them at the sizes of
the models, on the GPU where there is one.
"""

from __future__ import annotations

import os
import sys

# read by OpenMP when torch loads it: a thread that spins between operations steals the other's core
_LATE = "torch" in sys.modules
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import pytest  # noqa: E402
import torch  # noqa: E402

from plm_components.bench.operation import Operation  # noqa: E402


def pytest_report_header(config: pytest.Config) -> str:
    late = " (torch was loaded before: may not count)" if _LATE else ""
    policy = os.environ["OMP_WAIT_POLICY"] + late
    what = "smoke test, small sizes" if is_smoke(config) else "timed, sizes of the models"
    return f"benchmarks: {what} on {device()}; OMP_WAIT_POLICY={policy}"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Gives ``operation`` each of those its module names, small or as the models have them."""
    if "operation" in metafunc.fixturenames:
        operations = metafunc.module.operations(small=is_smoke(metafunc.config), device=device())
        metafunc.parametrize("operation", list(operations), ids=_name)


def device() -> torch.device:
    """The GPU where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def is_smoke(config: pytest.Config) -> bool:
    """Whether nothing is timed."""
    return bool(config.getoption("benchmark_disable"))


def _name(operation: Operation) -> str:
    """``attention/vision-batch1-…-bfloat16``, to be chosen by ``-k``."""
    sizes = [f"{name}{size}" for name, size in operation.sizes.items()]
    dtype = str(operation.dtype).removeprefix("torch.")
    direction = ["backward"] if operation.backward else []
    return "-".join([operation.name, *sizes, dtype, *direction])
