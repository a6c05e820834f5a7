"""``plm plugins new`` for every kind: wheels in the clean environment, their tests, the list.

Dear, and worth it: about half a minute of one core. Eleven wheels are built, their own tests run
(some 250) beside the benchmarks, and each README's spec is checked.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest
from clean_environment import CleanEnvironment, add_wheels, build_wheels

from plm_components.zoo import KINDS

pytestmark = pytest.mark.timeout(1200)
NAMES = {kind: f"plm-new-{kind.replace('_', '-')}" for kind in KINDS}
PARTS = {f"{kind}/new_{kind}" for kind in KINDS}
EXPECTED_SKIPS = (
    "tiles_row_major: one tile has no order",
    "compiles_whole: does not declare that it compiles",
)


@pytest.fixture(scope="module")
def scaffolded(clean: CleanEnvironment) -> Path:
    """The folder of eleven distributions, written by the installed package and installed."""
    folder = clean.folder / "new"
    done = clean.run(
        "-c",
        "from plm_components.scaffold import new_distribution\n"
        f"for kind, name in {NAMES}.items(): new_distribution(name, kind, into={str(folder)!r})",
    )
    assert done.returncode == 0, done.stderr
    built = build_wheels(sorted(folder.iterdir()), clean.folder / "built")
    assert len(built) == len(NAMES)
    add_wheels(clean, built)
    return folder


def test_all_are_listed(clean: CleanEnvironment, scaffolded: Path) -> None:
    done = clean.run("-m", "plm_components", "list", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    found = [part for part in json.loads(done.stdout) if part["provider"] in NAMES.values()]
    assert {part["address"] for part in found} == PARTS
    assert {(part["status"], part["version"]) for part in found} == {("available", "0.1.0")}
    assert all(part["summary"] for part in found)


def test_their_tests_and_benchmarks_pass(clean: CleanEnvironment, scaffolded: Path) -> None:
    options = ["-q", "-W", "error", "--import-mode=importlib", "--benchmark-disable", "-rs"]
    # away from src/: what is installed is tested
    away = clean.folder / "new-tests"
    for kind, name in NAMES.items():
        for folder in ("tests", "benchmarks"):
            shutil.copytree(scaffolded / name / folder, away / kind / folder)
    done = clean.run("-m", "pytest", "-p", "no:cacheprovider", *options, str(away), seconds=900)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    for kind in KINDS:
        assert (away / kind / "benchmarks" / f"test_new_{kind}_speed.py").exists()
    skipped = [line for line in done.stdout.splitlines() if line.startswith("SKIPPED")]
    assert [line for line in skipped if not any(one in line for one in EXPECTED_SKIPS)] == []


def test_the_readmes_specs_fit(clean: CleanEnvironment, scaffolded: Path) -> None:
    checks = [
        shlex.split(found)
        for name in NAMES.values()
        for found in re.findall(
            r"^plm check (.*)$", (scaffolded / name / "README.md").read_text(), re.M
        )
    ]
    assert len(checks) == len(NAMES)
    said = clean.json(
        "import json, plm_components as plm\n"
        f"reports = [plm.check(spec, overrides=rest) for spec, *rest in {checks}]\n"
        "print(json.dumps([None if report.ok else str(report) for report in reports]))"
    )
    assert said == [None] * len(NAMES)


def test_each_is_clean_by_its_own_rules(scaffolded: Path) -> None:
    for action in (["check"], ["format", "--check"]):
        command = [sys.executable, "-m", "ruff", *action, "--no-cache", str(scaffolded)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


def test_a_wheel_holds_its_package_and_no_more(clean: CleanEnvironment, scaffolded: Path) -> None:
    (path,) = (clean.folder / "built" / "wheels").glob("plm_new_projector-*.whl")
    with ZipFile(path) as wheel:
        names = set(wheel.namelist())
    package = "plm_new_projector"
    assert {f"{package}/{one}" for one in ("py.typed", "conformance.yaml")} <= names
    assert {name.partition("/")[0] for name in names} == {package, f"{package}-0.1.0.dist-info"}
    assert f"{package}-0.1.0.dist-info/licenses/LICENSE" in names


def test_validate_says_what_holds_by_which_contract(
    clean: CleanEnvironment, scaffolded: Path
) -> None:
    done = clean.run("-m", "plm_components", "plugins", "validate", "plm-new-pooling")
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(
        r"part +state +checked by +holds +broken +not asked\n"
        r"pooling/new_pooling +right +contract 1 +\d+ +0 +1\n",
        done.stdout,
    )
