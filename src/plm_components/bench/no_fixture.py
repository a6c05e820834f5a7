"""``kernel_bench`` where pytest-benchmark is not installed, or is switched off."""

from __future__ import annotations

from typing import NoReturn

import pytest

from plm_components.errors import UnavailableError


@pytest.fixture
def kernel_bench() -> NoReturn:
    """Says what is missing."""
    raise UnavailableError(
        "kernel_bench needs pytest-benchmark, and this pytest has none.",
        where="fixture kernel_bench",
        expected="pytest-benchmark 5.3 or later, loaded",
        fix="pip install 'plm-components[bench]', without -p no:benchmark",
    )
