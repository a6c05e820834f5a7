"""A saved variant to spoil, and a safetensors header to lie in."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import plm_components as plm
from small_specs import tiny_spec

Header = dict[str, Any]


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    variant = plm.assemble(tiny_spec(), init="random", seed=5)
    return variant.save(tmp_path_factory.mktemp("hostile") / "saved")


@pytest.fixture
def copy(saved: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / "copy"))


@pytest.fixture
def without_hash(copy: Path) -> Path:
    """A copy whose lock says nothing of its weights: only what the file says is believed."""
    lock = json.loads((copy / "plm.lock").read_text())
    (copy / "plm.lock").write_text(json.dumps({**lock, "weights": None}))
    return copy


@pytest.fixture
def edit_header() -> Callable[[Path, Callable[[Header], Any]], None]:
    """Rewrites a safetensors header; the edit may change it, or return other bytes."""

    def edit(path: Path, change: Callable[[Header], Any]) -> None:
        data = path.read_bytes()
        end = 8 + int.from_bytes(data[:8], "little")
        header = json.loads(data[8:end])
        other = change(header)
        text = other if isinstance(other, bytes) else json.dumps(header).encode()
        path.write_bytes(len(text).to_bytes(8, "little") + text + data[end:])

    return edit
