"""The pytest plugin: the fixture ``kernel_bench``, on top of pytest-benchmark.

Loaded by every pytest of an environment that has this package, so nothing is imported here before
the fixture is used, and a project without pytest-benchmark notices nothing.
"""

from __future__ import annotations

import pytest

_WITH = "plm_components.bench.fixture"
_WITHOUT = "plm_components.bench.no_fixture"
_BUDGET = "plm_budget(budget): how much slower kernel_bench.compare lets a candidate be, '3%'"


@pytest.hookimpl(tryfirst=True)  # pytest-benchmark compares files when it is configured
def pytest_configure(config: pytest.Config) -> None:
    """Offers the fixture, or one that says what is missing."""
    config.addinivalue_line("markers", _BUDGET)
    has_benchmark = config.getoption("benchmark_disable", None) is not None
    config.pluginmanager.import_plugin(_WITH if has_benchmark else _WITHOUT)
