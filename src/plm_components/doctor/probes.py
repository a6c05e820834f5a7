"""Runs the child that imports packages, and survives whatever happens to it."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

_CHILD = Path(__file__).with_name("child.py")
# import name -> distribution, where they differ
_DISTRIBUTIONS = {"PIL": "pillow", "flash_attn": "flash-attn", "huggingface_hub": "huggingface-hub"}


@dataclass(frozen=True)
class Probe:
    """How importing one package went.

    Args:
        name: Import name.
        version: Of the installed distribution, or None.
        state: ``ok``, ``absent`` or ``broken``.
        error: What happened, in full; empty when ok or absent.
        facts: What the package says about itself.
    """

    name: str
    version: str | None
    state: str
    error: str = ""
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def distribution(self) -> str:
        """The name to give to pip."""
        return distribution_of(self.name)


def probe(names: Sequence[str], *, timeout_s: float) -> dict[str, Probe]:
    """Imports each package in another process.

    Args:
        names: Import names.
        timeout_s: For one package; what hangs longer is killed and called broken.

    Returns:
        One Probe a name, in order.
    """
    found = [name for name in names if _is_found(name)]
    reports = dict(_reports(found, timeout_s))
    return {name: _judge(name, reports.get(name)) for name in names}


def distribution_of(name: str) -> str:
    """The distribution behind an import name."""
    return _DISTRIBUTIONS.get(name, name)


def version_of(name: str) -> str | None:
    """The version of the distribution behind an import name, or None."""
    try:
        return importlib.metadata.version(distribution_of(name))
    except importlib.metadata.PackageNotFoundError:
        return None


def _is_found(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):  # half-removed packages leave such traces
        return True


def _judge(name: str, report: dict[str, Any] | None) -> Probe:
    version = version_of(name)
    if report is None:
        return Probe(name, version, "absent")
    if "error" in report:
        return Probe(name, version, "broken", error=report["error"])
    return Probe(name, version, "ok", facts=report["facts"])


def _reports(names: list[str], timeout_s: float) -> Iterator[tuple[str, dict[str, Any]]]:
    # a new process after each failure: the rest is judged in a clean one
    waiting = list(names)
    while waiting:
        for report in _one_child(waiting, timeout_s):
            yield waiting.pop(0), report


def _one_child(names: list[str], timeout_s: float) -> Iterator[dict[str, Any]]:
    child = _Child(names)
    try:
        for _ in names:
            line = child.lines.get(timeout=timeout_s)
            report = json.loads(line) if line else {"error": child.death()}
            yield report
            if "error" in report:
                return
    except queue.Empty:
        yield {"error": f"TimeoutError: importing it took longer than {timeout_s:g} s"}
    finally:
        child.stop()


class _Child:
    """The running child. Both pipes are read all the time: a full stderr would stop it."""

    def __init__(self, names: list[str]) -> None:
        self.lines: queue.Queue[str] = queue.Queue()
        self._said: list[str] = []
        # -P: a file called torch.py in the working directory is no package
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(_CHILD), *names],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
        )
        self._threads = (
            threading.Thread(target=self._read_report, args=(self._process.stdout,), daemon=True),
            threading.Thread(target=self._read_noise, args=(self._process.stderr,), daemon=True),
        )
        for thread in self._threads:
            thread.start()

    def death(self) -> str:
        """How it ended before it had reported."""
        code = self._process.wait()
        self._threads[1].join(timeout=1)
        how = f"ended with exit code {code}" if code >= 0 else f"was killed by {_signal(-code)}"
        said = f"; it said: {self._said[-1]}" if self._said else ""
        return f"the process {how} while importing it{said}"

    def stop(self) -> None:
        """Ends it, whatever it is doing, and closes the pipes."""
        self._process.kill()
        self._process.wait()
        for thread in self._threads:
            thread.join(timeout=1)

    def _read_report(self, stream: IO[str]) -> None:
        with stream:
            for line in stream:
                self.lines.put(line)
        self.lines.put("")

    def _read_noise(self, stream: IO[str]) -> None:
        with stream:
            for line in stream:
                self._said = [*self._said[-4:], line.strip()]


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
