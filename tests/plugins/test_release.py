"""One true installation from the registry, before a release: ``make test-release``.

Fetches torch and the rest anew (about 3 GB), so it is no part of ``make test``.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from clean_environment import PLUGINS, ROOT, build_wheels, installed_environment
from distributions import (
    PARTS,
    assert_nothing_is_of_this_tree,
    check_readme_specs,
    listed,
    run_own_tests,
)

pytestmark = [pytest.mark.release, pytest.mark.timeout(3600)]


def test_installed_from_the_registry_everything_works(tmp_path: Path) -> None:
    clean = installed_environment(tmp_path, build_wheels([ROOT, *PLUGINS], tmp_path))
    assert_nothing_is_of_this_tree(clean)
    assert {part["provider"] for part in listed(clean)} == set(PARTS)
    assert " passed" in run_own_tests(clean)
    assert all(ok for _, ok in check_readme_specs(clean))
