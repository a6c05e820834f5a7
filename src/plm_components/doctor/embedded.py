"""Are the weights that ship with the package there, and are they the ones that were trained?"""

from __future__ import annotations

import hashlib
import json
from importlib.resources import files
from typing import TYPE_CHECKING

from plm_components.doctor.finding import Finding

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

_REINSTALL = "install plm-components again; in a clone, git checkout -- src or make train-tiny"


def embedded_weights(name: str) -> Finding:
    """Compares the shipped weights of one spec with the hash in its lock.

    Args:
        name: Of the spec and of its folder of weights.
    """
    folder = files("plm_components") / "weights" / name
    weights, lock = folder / "model.safetensors", folder / "plm.lock"
    if not weights.is_file() or not lock.is_file():
        return Finding(name, "absent", "its weights are not there", _REINSTALL, needed=True)
    digest = _sha256(weights)
    if digest != _locked(lock):
        detail = "its weights are not the ones its lock was written for"
        return Finding(name, "broken", detail, _REINSTALL, needed=True, error=f"sha256 {digest}")
    return Finding(name, "ok", f"weights there, sha256 {digest[:12]}", needed=True)


def _sha256(path: Traversable) -> str:
    with path.open("rb") as stream:
        return hashlib.sha256(stream.read()).hexdigest()


def _locked(lock: Traversable) -> str | None:
    try:
        return str(json.loads(lock.read_text(encoding="utf-8"))["weights"]["sha256"])
    except (ValueError, KeyError, TypeError):
        return None
