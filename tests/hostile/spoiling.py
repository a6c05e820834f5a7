"""Ways to damage bytes and to lie in JSON, for hypothesis; and a fence around memory."""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from plm_components.errors import PlmError

Test = TypeVar("Test", bound=Callable[..., Any])
Strategy = st.SearchStrategy

LIES: list[Any] = [
    None, True, False, 0, -1, 1, 3, 10**9, 2**63, 10**400, 0.5, -0.0, 1e308, "", "x", "0", "\ud800",
    "\x1b[2J\n  fix:      no", "../../etc/passwd", "x" * 5000, [], {}, [[]], {"a": {}}, [1, "a"],
    [None], {"": None},
]  # fmt: skip


def fuzz(examples: int) -> Callable[[Test], Test]:
    """The same examples every time, so that CI is stable; far more in the profile ``long``."""
    if settings.get_current_profile_name() == "long":
        return settings(suppress_health_check=list(HealthCheck))
    return settings(
        max_examples=examples, derandomize=True, suppress_health_check=list(HealthCheck)
    )


@st.composite
def damaged(draw: st.DrawFn, data: bytes) -> bytes:
    """Bytes with a few bits flipped, cut short, or with others in their place."""
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, max(0, len(data) - 1)))
        how = draw(st.sampled_from(["flip", "cut", "fill", "insert"]))
        if how == "flip" and data:
            flipped = data[place] ^ (1 << draw(st.integers(0, 7)))
            data = data[:place] + bytes([flipped]) + data[place + 1 :]
        elif how == "cut":
            data = data[:place]
        elif how == "fill":
            data = data[:place] + b"\xff" * 8 + data[place + 8 :]
        else:
            data = data[:place] + draw(st.binary(max_size=4)) + data[place:]
    return data


@st.composite
def lying(draw: st.DrawFn, tree: Any) -> Any:
    """JSON in which a few values are other ones, or gone."""
    tree = deepcopy(tree)
    for _ in range(draw(st.integers(1, 3))):
        holder, key = draw(st.sampled_from(list(_places(tree)) or [({}, "")]))
        if draw(st.integers(0, 4)) == 0:
            holder.pop(key, None) if isinstance(holder, dict) else holder.clear()
        else:
            holder[key] = deepcopy(draw(st.sampled_from(LIES)))
    return tree


def _places(tree: Any) -> Iterator[tuple[Any, Any]]:
    items = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for key, value in list(items):
        yield tree, key
        if isinstance(value, dict | list):
            yield from _places(value)


def told_or_done(read: Callable[[], Any]) -> bool:
    """True where reading ends well or in one clear error; anything else passes through."""
    with fenced():
        try:
            read()
        except PlmError as error:
            lines = str(error).splitlines()
            return len(lines) >= 4 and error.what != "" and "\x1b" not in str(error)
    return True


@contextmanager
def fenced(extra_bytes: int = 2 << 30) -> Iterator[None]:
    """An allocation that needs much more than what the process has now fails at once."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    now = pages * resource.getpagesize()
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (now + extra_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
