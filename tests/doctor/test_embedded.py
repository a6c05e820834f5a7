"""The shipped weights against the lock that was written for them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from plm_components.doctor import Finding, embedded
from plm_components.doctor.embedded import embedded_weights

REINSTALL = "install plm-components again; in a clone, git checkout -- src or make train-tiny"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(embedded, "files", lambda package: tmp_path)
    home = tmp_path / "weights" / "some"
    home.mkdir(parents=True)
    (home / "model.safetensors").write_bytes(b"weights")
    lock = {"weights": {"sha256": hashlib.sha256(b"weights").hexdigest()}}
    (home / "plm.lock").write_text(json.dumps(lock))
    return home


@pytest.mark.usefixtures("folder")
def test_whole_weights_are_ok() -> None:
    found = embedded_weights("some")

    assert (found.state, found.needed) == ("ok", True)
    assert found.detail == f"weights there, sha256 {hashlib.sha256(b'weights').hexdigest()[:12]}"


@pytest.mark.parametrize("name", ["model.safetensors", "plm.lock"])
def test_weights_that_are_not_there(folder: Path, name: str) -> None:
    (folder / name).unlink()

    assert embedded_weights("some") == Finding(
        "some", "absent", "its weights are not there", REINSTALL, needed=True
    )


@pytest.mark.parametrize(
    ("name", "content"),
    [("model.safetensors", "other weights"), ("plm.lock", "{"), ("plm.lock", '{"weights": null}')],
)
def test_weights_that_are_not_the_locked_ones(folder: Path, name: str, content: str) -> None:
    (folder / name).write_text(content)
    found = embedded_weights("some")

    assert found.state == "broken"
    assert found.detail == "its weights are not the ones its lock was written for"
    assert found.fix == REINSTALL
