"""A virtual environment that holds wheels and what they need, and nothing of this source tree."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PLUGINS = sorted(path.parent for path in (ROOT / "plugins").glob("*/pyproject.toml"))


@dataclass(frozen=True)
class CleanEnvironment:
    """A place to run things in.

    Args:
        folder: Where everything is written, and the working directory of what runs.
        python: The environment's interpreter.
    """

    folder: Path
    python: Path

    def run(self, *command: str, seconds: int = 240) -> subprocess.CompletedProcess[str]:
        """Runs ``python *command`` without any setting of this process's surroundings."""
        kept = {"PATH", "HOME", "LANG", "TMPDIR", "OMP_NUM_THREADS"}
        settings = {name: value for name, value in os.environ.items() if name in kept}
        settings |= {"HF_HUB_OFFLINE": "1", "OMP_WAIT_POLICY": "passive"}
        return subprocess.run(
            [str(self.python), *command],
            cwd=self.folder,
            env=settings,
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
        )

    def json(self, code: str) -> Any:
        """What a piece of Python prints, as JSON."""
        done = self.run("-c", code)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


def build_wheels(sources: Sequence[Path], folder: Path) -> list[Path]:
    """A wheel of each source folder; what building leaves behind stays out of the source tree."""
    copies = [_copy(source, folder / "sources") for source in sources]
    wheels = folder / "wheels"
    _pip("wheel", "--no-deps", "--no-build-isolation", "--no-index", "-w", wheels, *copies)
    return sorted(wheels.glob("*.whl"))


def shared_environment(folder: Path, wheels: Sequence[Path]) -> CleanEnvironment:
    """New, with these wheels; what they need is the running environment's, by a .pth."""
    venv.create(folder / "venv", symlinks=True)
    clean = CleanEnvironment(folder, folder / "venv" / "bin" / "python")
    # before the .pth: pip would find our own package there and count it as installed
    add_wheels(clean, wheels)
    place = clean.json("import json, sysconfig; print(json.dumps(sysconfig.get_path('purelib')))")
    # a .pth inside a folder that a .pth names is not read: an editable install stays outside
    dependencies = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (Path(place) / "dependencies.pth").write_text("\n".join(sorted(dependencies)) + "\n")
    return clean


def add_wheels(clean: CleanEnvironment, wheels: Sequence[Path]) -> None:
    """Installs more wheels into an environment that has its dependencies."""
    _pip("--python", clean.python, "install", "--no-deps", "--no-index", *wheels)


def installed_environment(folder: Path, wheels: Sequence[Path]) -> CleanEnvironment:
    """New, with these wheels and all that they ask for, from the registry that pip knows."""
    venv.create(folder / "venv", symlinks=True, with_pip=True)
    python = folder / "venv" / "bin" / "python"
    tests = ["pytest", "pytest-benchmark"]
    command = [python, "-m", "pip", "install", "--disable-pip-version-check", *wheels, *tests]
    subprocess.run(list(map(str, command)), check=True)
    return CleanEnvironment(folder, python)


def _copy(source: Path, into: Path) -> Path:
    copy = into / source.name
    copy.mkdir(parents=True)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        if (source / name).exists():
            shutil.copy2(source / name, copy)
    leftovers = shutil.ignore_patterns("__pycache__", "*.egg-info")
    shutil.copytree(source / "src", copy / "src", ignore=leftovers)
    return copy


def _pip(*arguments: object) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    # pip would take what PYTHONPATH names for installed
    surroundings = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [*command, *map(str, arguments)],
        env=surroundings,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
