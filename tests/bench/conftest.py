"""Shared by the tests of the kernel lab."""

from __future__ import annotations

import pytest
import torch


@pytest.fixture(scope="session")
def bench_device() -> torch.device:
    """The GPU where there is one: the same tests run on either."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
