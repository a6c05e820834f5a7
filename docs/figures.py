"""Measures plm-tiny on held-out scenes and keeps the figures in ``docs/plm-tiny.json``.

``make figures`` runs this and then ``make docs``, which writes them into the pages. The hash says
which weights were measured: a test refuses pages whose figures belong to others.
"""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

FIGURES = Path(__file__).with_name("plm-tiny.json")


def shipped_hash() -> str:
    """SHA-256 of the weights inside the package, as their lock says it."""
    lock = files("plm_components") / "weights" / "plm-tiny" / "plm.lock"
    return str(json.loads(lock.read_text(encoding="utf-8"))["weights"]["sha256"])


def measure() -> str:
    """Runs the examination that ``make examine-tiny`` runs; its JSON."""
    command = [sys.executable, "-m", "plm_components.evaluation.tiny", "--scenes", "1000", "--json"]
    return subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout


def kept(examination: str) -> dict[str, Any]:
    """What the pages need of an examination: shares by type, and whose weights they are."""
    found: dict[str, Any] = json.loads(examination)
    for medium in ("image", "video"):
        found[medium].pop("wrong", None)
    return {"weights_sha256": shipped_hash(), **found}


if __name__ == "__main__":
    # an examination that was run before may be given as a file
    said = Path(sys.argv[1]).read_text(encoding="utf-8") if len(sys.argv) > 1 else measure()
    FIGURES.write_text(json.dumps(kept(said), indent=2) + "\n", encoding="utf-8")
    print(f"wrote {FIGURES}")
