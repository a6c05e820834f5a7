"""What is written is executed: every code block of every page."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import plm_components
from plm_components.testing import checks_for
from plm_components.zoo import KINDS

ROOT = Path(__file__).parent.parent.parent
PAGES = (
    "README.md",
    "CONTRIBUTING.md",
    "docs/architecture.md",
    "docs/benchmarks.md",
    "docs/components.md",
    "docs/exactness.md",
)


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


pages = _load(Path(__file__).with_name("pages.py"))


@pytest.mark.parametrize("page", PAGES)
def test_every_block_of_a_page_does_what_it_says(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for block in pages.blocks(ROOT / page):
        pages.run(block)


@pytest.mark.parametrize(
    "page",
    [
        *PAGES,
        "CHANGELOG.md",
        "docs/contracts.md",
        "docs/compatibility.md",
        "docs/publish-a-part.md",
    ],
)
def test_every_link_to_a_file_leads_somewhere(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)#]+)\)", text)
    missing = [
        target
        for target in targets
        if not target.startswith("https://") and not ((ROOT / page).parent / target).exists()
    ]

    assert missing == []


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    _load(ROOT / "docs" / "contracts_page.py")
    _load(ROOT / "docs" / "measured_page.py")
    return _load(ROOT / "docs" / "generate.py")


@pytest.fixture(scope="module")
def figures() -> Any:
    return json.loads((ROOT / "docs" / "plm-tiny.json").read_text(encoding="utf-8"))


def test_the_page_of_components_is_what_the_code_says(generate: ModuleType) -> None:
    written = (ROOT / "docs" / "components.md").read_text(encoding="utf-8")

    assert written == generate.components_page(), "make docs writes it again"


def test_the_page_of_contracts_is_what_the_code_says(generate: ModuleType) -> None:
    written = (ROOT / "docs" / "contracts.md").read_text(encoding="utf-8")

    assert written == generate.contracts_page(), "make docs writes it again"


def test_the_page_of_measurements_is_what_the_files_say(generate: ModuleType) -> None:
    written = (ROOT / "docs" / "measurements.md").read_text(encoding="utf-8")

    assert written == generate.measurements_page(), "make docs writes it again"


def test_the_page_of_contracts_leaves_nothing_out() -> None:
    page = (ROOT / "docs" / "contracts.md").read_text(encoding="utf-8")
    for kind in KINDS.values():
        section = page.partition(f"\n## {kind.name}\n")[2].partition("\n## ")[0]
        assert f"Contract {kind.contract}: " in section
        assert "(Protocol):" in section
        assert [name for name in kind.wired if f"`{name}` (from " not in section] == []
        asked = [one.name for one in checks_for(kind.name)]
        assert [name for name in asked if f"| `{name}` |" not in section] == []
    anchors = {
        re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-")
        for head in re.findall(r"^##+ (.+)$", page, re.M)
    }
    assert set(re.findall(r"\]\(#([^)]+)\)", page)) <= anchors


def test_the_figures_in_the_pages_are_the_measured_ones(generate: ModuleType, figures: Any) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    page = (ROOT / "docs" / "plm-tiny.md").read_text(encoding="utf-8")

    assert page == generate.tiny_page(figures), "make docs writes it again"
    assert readme == generate.readme_with(figures, readme), "make docs writes it again"
    assert "| images |" in readme
    assert "| videos |" in readme


def test_the_figures_are_those_of_the_weights_that_ship(figures: Any) -> None:
    measure = _load(ROOT / "docs" / "figures.py")

    assert figures["weights_sha256"] == measure.shipped_hash(), "make figures measures again"
    assert figures["scenes"] == 1000


@pytest.mark.parametrize(("medium", "least"), [("image", 0.97), ("video", 0.95)])
def test_plm_tiny_sees(figures: Any, medium: str, least: float) -> None:
    scores = figures[medium]

    assert scores["all"]["exact"] >= least
    assert [name for name, one in scores.items() if one["exact"] < 0.88] == []
    # over another scene it knows about as much as the best constant answer
    assert scores["all"]["shuffled"] <= scores["all"]["constant"] + 0.03


def test_the_picture_of_the_demo_is_small_enough_to_look_at() -> None:
    assert (ROOT / "docs" / "demo.png").stat().st_size < 300_000


def test_the_architecture_names_every_package() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    floors = page.partition("## The floors")[2].partition("## A component")[0]
    packages = [
        path.parent.name for path in (ROOT / "src" / "plm_components").glob("*/__init__.py")
    ]

    assert [name for name in packages if not re.search(rf"\b{name}\b", floors)] == []


def test_the_size_of_plm_tiny_is_told_as_it_is() -> None:
    parameters = plm_components.check("plm-tiny").totals.parameters
    assert parameters is not None

    for page in ("README.md", "CHANGELOG.md"):
        text = " ".join((ROOT / page).read_text(encoding="utf-8").split())
        assert f"{parameters / 1e6:.1f} million parameters" in text


def test_every_test_the_page_of_exactness_names_is_there() -> None:
    page = (ROOT / "docs" / "exactness.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(tests/[\w/.]+)`", page))

    assert len(named) > 20
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []
