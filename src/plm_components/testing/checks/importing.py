"""What every plugin promises to whoever lists the zoo: little is imported, and soon."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache

from plm_components.testing.outcome import Broken, NotApplicable, expect
from plm_components.testing.roster import check
from plm_components.testing.subject import Subject
from plm_components.zoo import OURS, Entry
from plm_components.zoo.loading import HEAVY, SLOW_S

# in a process of its own, where nothing is imported yet but what listing itself needs
_LISTING = """
import importlib, json, sys, time
path, module, heavy = json.loads(sys.argv[1])
sys.path[:] = path
import plm_components.zoo
began = time.thread_time()
importlib.import_module(module)
spent = time.thread_time() - began
print(json.dumps([[name for name in heavy if name in sys.modules], spent]))
"""
_TRIES = 3


@check()
def import_budget(subject: Subject) -> None:
    """Listing it imports its plugin's module: no torch and its like, and within 0.2 s."""
    module = _listed_by(subject.entry)
    heavy, seconds = _cost(module, tuple(sys.path))
    expect(not heavy, f"importing {module} imports {' and '.join(heavy)}")
    expect(seconds <= SLOW_S, f"importing {module} takes {seconds:.2f} s; {SLOW_S} s is allowed")


def _listed_by(entry: Entry) -> str:
    if entry.entry_point is not None:
        return entry.entry_point.partition("=")[2].strip().partition(":")[0]
    if entry.provider.distribution == OURS:
        return "plm_components.builtins"
    raise NotApplicable("no installed plugin registers it, so no listing imports it")


@cache
def _cost(module: str, path: tuple[str, ...]) -> tuple[list[str], float]:
    """The heavy modules it brings, and the least seconds of processor time of a few tries."""
    asked, least = json.dumps([path, module, HEAVY]), float("inf")
    for _ in range(_TRIES):
        command = [sys.executable, "-c", _LISTING, asked]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        if done.returncode != 0:
            raise Broken(f"importing {module} fails: {done.stderr.strip().splitlines()[-1:]}")
        heavy, seconds = json.loads(done.stdout.splitlines()[-1])
        least = min(least, seconds)
        if heavy or least <= SLOW_S:
            break
    return heavy, least
