"""One clean environment for everything here: six wheels built and installed once."""

from __future__ import annotations

import pytest
from clean_environment import PLUGINS, ROOT, CleanEnvironment, build_wheels, shared_environment


@pytest.fixture(scope="session")
def clean(tmp_path_factory: pytest.TempPathFactory) -> CleanEnvironment:
    """Seven seconds of one core, most of them setuptools', once for six wheels."""
    folder = tmp_path_factory.mktemp("clean")
    return shared_environment(folder, build_wheels([ROOT, *PLUGINS], folder))
