"""What a plugin may import to be listed, asked of installed plugins."""

from __future__ import annotations

import pytest

from plm_components.testing import CheckResult, conformance
from plm_components.zoo import Zoo
from plugin_dists import registering

_PART = registering("'projector', 'mine', 'plm_components.projectors.linear:LinearProjector'")


def _asked(zoo: Zoo, name: str) -> CheckResult:
    (result,) = conformance(zoo.get("projector", name), zoo=zoo, only="import_budget")
    return result


@pytest.mark.parametrize(
    ("source", "seen"),
    [
        ("import numpy\n", "importing plm_weighs imports numpy"),
        ("import time\nwhile time.thread_time() < 0.6: pass\n", "importing plm_weighs takes "),
    ],
)
def test_a_plugin_that_makes_listing_slow_fails_exactly_this(site, source: str, seen: str) -> None:
    site.plugin("plm_weighs", source + _PART)
    zoo = Zoo.discover()
    results = conformance(zoo.get("projector", "mine"), zoo=zoo)
    failed = [(one.check, one.detail) for one in results if one.outcome == "failed"]
    assert [check for check, _ in failed] == ["import_budget"]
    assert failed[0][1].startswith(seen)


def test_a_light_plugin_and_our_own_listing_are_within_it(site) -> None:
    site.plugin("plm_light", _PART)
    zoo = Zoo.discover()
    assert [_asked(zoo, name).outcome for name in ("mine", "linear")] == ["passed", "passed"]


def test_a_part_file_is_listed_by_nobody(tmp_path) -> None:
    (tmp_path / "my_part.py").write_text(_PART)
    zoo = Zoo.discover()
    zoo.add_file(tmp_path / "my_part.py")
    result = _asked(zoo, "mine")
    assert (result.outcome, result.detail) == (
        "skipped",
        "no installed plugin registers it, so no listing imports it",
    )
