"""The promises of docs/compatibility.md: what is public is still there, and is told as it is."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from plm_components import errors
from plm_components.assembly.lock import FORMAT
from plm_components.checkpoints import LOCK_FILE, SPEC_FILE
from plm_components.cli import main
from plm_components.errors import UnavailableError
from plm_components.spec import SPEC_VERSION
from plm_components.zoo import KINDS, Component, Provider, Zoo
from plm_components.zoo.hooks import hooks

_ROOT = Path(__file__).parent.parent.parent
PAGE = (_ROOT / "docs" / "compatibility.md").read_text(encoding="utf-8")
# what was public when it was written down: names and keys may be added, none may go. A line is
# taken out only with the change that the page asks for
PUBLIC = json.loads(Path(__file__).with_name("public.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("module", PUBLIC["names"])
def test_no_public_name_has_gone(module: str) -> None:
    found = import_module(module)
    assert [name for name in PUBLIC["names"][module] if name not in found.__all__] == []
    assert [name for name in found.__all__ if not hasattr(found, name)] == []
    assert len(set(found.__all__)) == len(found.__all__)
    assert module.removeprefix("plm_components") in PAGE


@pytest.mark.parametrize("command", PUBLIC["json"])
def test_no_key_of_a_json_document_has_gone(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    main(command.split())
    keys = set(_keys(json.loads(capsys.readouterr().out)))
    assert [key for key in PUBLIC["json"][command] if key not in keys] == []


@pytest.mark.parametrize("module", PUBLIC["building_blocks"])
def test_no_building_block_has_gone(module: str) -> None:
    names = PUBLIC["building_blocks"][module]
    assert [name for name in names if not hasattr(import_module(module), name)] == []
    assert f"| `{module}` | {', '.join(f'`{name}`' for name in names)} |" in PAGE


def test_what_a_new_plugin_leans_on_is_public() -> None:
    public = {f"{module}:{name}" for module in PUBLIC["names"] for name in PUBLIC["names"][module]}
    for module, names in PUBLIC["building_blocks"].items():
        public |= {f"{module}:{name}" for name in names}
    public |= {f"plm_components.errors:{name}" for name in vars(errors)}
    public |= {entry.component.target for entry in Zoo.discover().entries()}
    templates = (_ROOT / "src" / "plm_components" / "scaffold" / "templates").rglob("*.py")
    taken = {
        f"{node.module}:{alias.name}"
        for template in templates
        for node in ast.walk(ast.parse(template.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("plm_components")
        for alias in node.names
    }
    assert sorted(taken - public) == []


def _keys(value: Any, at: str = "") -> Iterator[str]:
    """``parts[].address``: every key of a document, whatever it holds."""
    if isinstance(value, list):
        for item in value:
            yield from _keys(item, f"{at}[]")
    elif isinstance(value, dict):
        for key, item in value.items():
            here = f"{at}.{key}".removeprefix(".")
            yield here
            yield from _keys(item, here)


def test_the_hooks_are_those_the_page_names() -> None:
    assert set(PUBLIC["hooks"]) <= set(hooks())
    assert [name for name in hooks() if f"`{name}`" not in PAGE] == []


@pytest.mark.parametrize(
    ("words", "code"),
    [(["list"], 0), (["check", "plm-tiny", "projector.pool=5"], 1), (["lisst"], 2)],
)
def test_exit_codes(words: list[str], code: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == code
    assert capsys.readouterr()


def test_formats_and_contracts_have_the_numbers_of_the_page() -> None:
    assert f"`plm: {SPEC_VERSION}`" in PAGE
    assert f"`plm_lock: {FORMAT}`" in PAGE
    assert f"`{SPEC_FILE}`, `{LOCK_FILE}`" in PAGE
    assert {kind.contract for kind in KINDS.values()} == {1}, "the page says so, and what then"


@pytest.mark.parametrize(("contract", "age"), [(2, "newer"), (1, "")])
def test_another_contract_is_refused_as_the_page_shows(contract: int, age: str) -> None:
    zoo = Zoo()
    component = Component("projector", "gated_pool", "fractions:Fraction", contract=contract)
    entry = zoo.add(component, provider=Provider("plm-gated-pool", "0.3.1"))
    if not age:
        assert entry.status == "available"
        return
    assert entry.status == "incompatible"
    with pytest.raises(UnavailableError) as caught:
        entry.load()
    assert f"```text\n{caught.value}\n```" in PAGE
