"""A processor held still: as many threads as before, on as many cores, while times are taken."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import torch

_CPUS = Path("/sys/devices/system/cpu")
_TASKS = Path("/proc/self/task")


@contextmanager
def pinned(device: torch.device) -> Iterator[dict[str, Any]]:
    """Holds every thread of this process to as many cores as torch has threads; undone after.

    Yields:
        What was done, plain data for the conditions of a record. Nothing where ``device`` is no
        processor.
    """
    if device.type != "cpu":
        yield {}
        return
    threads = torch.get_num_threads()
    # torch's own workers exist only after some work for all of them
    torch.ones(1 << 16).sum()
    before = _affinities()
    try:
        yield {"threads": threads, **_pin(before, threads)}
    finally:
        for task, cores in before.items():
            # a thread may have ended
            with suppress(OSError):
                os.sched_setaffinity(task, cores)
        torch.set_num_threads(threads)


def distinct_cores(cpus: set[int], here: int | None = None, folder: Path = _CPUS) -> list[int]:
    """Logical processors, one of every physical core first, then their siblings.

    Args:
        cpus: Which may be used.
        here: Where this process runs now: first, so that processes do not all meet on one core.
        folder: Where Linux tells which are siblings.
    """
    first: list[int] = []
    siblings: list[int] = []
    seen: set[str] = set()
    for cpu in sorted(cpus, key=lambda cpu: (cpu != here, cpu)):
        core = _core(folder / f"cpu{cpu}" / "topology", str(cpu))
        (siblings if core in seen else first).append(cpu)
        seen.add(core)
    return first + siblings


def _pin(before: dict[int, set[int]], threads: int) -> dict[str, Any]:
    if not before:
        return {"cores": None, "pinned": "unknown: this system pins no threads"}
    cores = set(distinct_cores(before[os.getpid()], _here())[:threads])
    try:
        for task in before:
            os.sched_setaffinity(task, cores)
    except OSError as error:
        return {"cores": None, "pinned": f"no: {error}"}
    return {"cores": sorted(cores), "pinned": True}


def _affinities() -> dict[int, set[int]]:
    """The cores that every thread of this process may use; empty where nobody tells."""
    if not hasattr(os, "sched_getaffinity"):
        return {}
    found = {}
    for task in _TASKS.glob("[0-9]*"):
        with suppress(OSError):
            found[int(task.name)] = set(os.sched_getaffinity(int(task.name)))
    return found


def _here() -> int | None:
    """The processor that the main thread ran on last."""
    try:
        after_name = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    # field 39 of proc(5); the first two are cut off
    return int(after_name[36])


def _core(topology: Path, unknown: str) -> str:
    try:
        return (topology / "thread_siblings_list").read_text().strip()
    except OSError:
        return unknown
