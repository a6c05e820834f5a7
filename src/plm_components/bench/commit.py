"""The commit that was measured, under the keys of pytest-benchmark."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

_TIMEOUT_S = 10


def commit_info(folder: Path | None = None) -> dict[str, Any]:
    """What git says of a folder; ``unversioned`` where there is nothing to say.

    Args:
        folder: Somewhere in a working tree; the current one by default.
    """
    where = folder or Path.cwd()
    said = _git(where, "show", "--no-patch", "--format=%H%n%cI%n%aI")
    if said is None:
        return {"id": "unversioned", "time": None, "dirty": False, "branch": "(unknown)"}
    commit, time, author_time = said.splitlines()
    return {
        "id": commit,
        "time": time,
        "author_time": author_time,
        "dirty": bool(_git(where, "status", "--porcelain", "--untracked-files=no")),
        "branch": _git(where, "rev-parse", "--abbrev-ref", "HEAD"),
    }


def _git(folder: Path, *arguments: str) -> str | None:
    command = ["git", "-C", str(folder), *arguments]
    try:
        run = subprocess.run(
            command, capture_output=True, text=True, check=True, timeout=_TIMEOUT_S
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return run.stdout.strip()
