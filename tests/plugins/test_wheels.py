"""The plugins as a stranger gets them: wheels in an environment without this source tree.

Dear, and worth it: about 25 seconds of one core. A third builds wheels, a third runs the plugins'
own tests (some 270), the rest checks the specs of the READMEs.
"""

from __future__ import annotations

import importlib.metadata
import json
import tomllib
from zipfile import ZipFile

import pytest
from clean_environment import PLUGINS, CleanEnvironment
from distributions import (
    PARTS,
    assert_nothing_is_of_this_tree,
    check_readme_specs,
    listed,
    run_own_tests,
)

pytestmark = pytest.mark.timeout(1200)


def test_every_plugin_has_its_line_here() -> None:
    assert [plugin.name for plugin in PLUGINS] == sorted(PARTS)


def test_the_source_tree_is_not_on_the_path(clean: CleanEnvironment) -> None:
    assert_nothing_is_of_this_tree(clean)


def test_all_are_listed_with_what_keeps_them_away(clean: CleanEnvironment) -> None:
    found = {part["provider"]: part for part in listed(clean)}
    assert {name: part["address"] for name, part in found.items()} == PARTS
    for part in found.values():
        assert (part["version"], part["contract"]) == ("0.1.0", 1)
    missing = "needs liger-kernel>=0.5.3, which is not installed"
    reasons = {name: (part["status"], part["reason"]) for name, part in found.items()}
    liger = reasons.pop("plm-liger-block")
    assert liger == (("available", "needs cuda") if _has_liger() else ("unavailable", missing))
    assert set(reasons.values()) == {("available", None)}


def test_listing_imports_no_torch(clean: CleanEnvironment) -> None:
    loaded = clean.json(
        "import json, sys, plm_components as plm\n"
        "statuses = [part.status for part in plm.list_components()]\n"
        "print(json.dumps([name for name in ('torch', 'triton') if name in sys.modules]))"
    )
    assert loaded == []


def test_each_keeps_its_own_promises(clean: CleanEnvironment) -> None:
    """Their conformance, behaviour and benchmarks in a pytest that knows only the wheels."""
    told = run_own_tests(clean)
    assert " failed" not in told
    skipped = [line for line in told.splitlines() if line.startswith("SKIPPED")]
    unexpected = [line for line in skipped if not _is_expected(line)]
    assert unexpected == []


def test_the_readmes_specs_fit(clean: CleanEnvironment) -> None:
    fits = check_readme_specs(clean)
    assert {name for name, _ in fits} == set(PARTS) - {"plm-liger-block"}
    assert all(ok for _, ok in fits), fits


def test_a_spec_that_a_plugin_ships_is_listed_and_shown(clean: CleanEnvironment) -> None:
    name = "plm-qwen3-block:siglip2-shuffle-qwen3-native"
    done = clean.run("-m", "plm_components", "list")
    assert done.stdout.splitlines()[-1].endswith(f", {name}  (plm show SPEC)")
    shown = clean.run("-m", "plm_components", "show", name, "--json")
    assert json.loads(shown.stdout)["decoder"]["block"]["type"] == "qwen3"


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda plugin: plugin.name)
def test_a_wheel_holds_its_package_and_no_more(clean: CleanEnvironment, plugin) -> None:
    package = plugin.name.replace("-", "_")
    (path,) = (clean.folder / "wheels").glob(f"{package}-*.whl")
    with ZipFile(path) as wheel:
        names = wheel.namelist()
        metadata = wheel.read(f"{package}-0.1.0.dist-info/METADATA").decode()
    assert {name.partition("/")[0] for name in names} == {package, f"{package}-0.1.0.dist-info"}
    assert {f"{package}/py.typed", f"{package}/conformance.yaml"} <= set(names)
    assert "License-Expression: Apache-2.0" in metadata
    project = tomllib.loads((plugin / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["dependencies"] == ["plm-components>=0.1"]


def _is_expected(line: str) -> bool:
    # Liger's kernels have no device here; a sampler that looks is not asked to choose blind; what
    # has no grid has no places to keep; to compile is promised by who says so
    reasons = (
        "decoder_block/liger is unavailable",
        "must look: video_sampler/scene_change",
        "projector/tome, keeps_places",
        "compiles_whole: does not declare that it compiles",
    )
    return any(reason in line for reason in reasons)


def _has_liger() -> bool:
    try:
        importlib.metadata.version("liger-kernel")
    except importlib.metadata.PackageNotFoundError:
        return False
    return True
