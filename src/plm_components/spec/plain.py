"""Plain data: dict, list, text, numbers, true, false, null, and not too much of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any, NoReturn

from plm_components.errors import SpecError

MAX_NODES = 20_000
MAX_DEPTH = 32


def plain(value: Any, where: str) -> Any:
    """A copy made of dict, list, str, int, float, bool and None only, within bounds.

    Paths become text, enum members their names, tuples lists.

    Raises:
        SpecError: anything else is in it, a number is not finite, or it is too large.
    """
    return _Copier(where).copy(value, "", 0)


class _Copier:
    """Counts while it copies: aliases in YAML can make a small file a huge tree."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._num_nodes = 0

    def copy(self, value: Any, path: str, depth: int) -> Any:
        self._num_nodes += 1
        if depth > MAX_DEPTH or self._num_nodes > MAX_NODES:
            self._refuse(
                "The spec is too large.",
                f"at most {MAX_NODES} values, nested {MAX_DEPTH} deep",
                "write less: a spec has tens of lines",
            )
        if isinstance(value, Mapping):
            return {
                self._key(k, path): self.copy(v, join(path, k), depth + 1) for k, v in value.items()
            }
        if isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray):
            return [self.copy(v, f"{path}[{i}]", depth + 1) for i, v in enumerate(value)]
        return self._scalar(value, path)

    def _key(self, key: Any, path: str) -> str:
        if type(key) is not str:
            self._refuse(f"The key {key!r} is not text.", "text keys", "quote the key", path)
        return self._text(str(key), path)

    def _text(self, text: str, path: str) -> str:
        if not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text):
            # half a character: no file and no terminal takes it
            self._refuse(f"{text!r} is no Unicode text.", "text", "write it again", path)
        return text

    def _scalar(self, value: Any, path: str) -> Any:
        if isinstance(value, Enum):
            return value.name
        if isinstance(value, Path):
            return str(value)
        if value is None or type(value) in (bool, int, str):
            return self._text(value, path) if type(value) is str else value
        if type(value) is float:
            if not math.isfinite(value):
                self._refuse(
                    f"{value} is not a finite number.", "a finite number", "change it", path
                )
            return value
        return self._refuse(
            f"A spec cannot hold a {type(value).__name__}.",
            "text, numbers, true, false, null, lists and mappings",
            "write it as one of these",
            path,
        )

    def _refuse(self, what: str, expected: str, fix: str, path: str = "") -> NoReturn:
        where = f"{self._where}: {path}" if path else self._where
        raise SpecError(what, where=where, expected=expected, fix=fix)


def join(path: str, key: object) -> str:
    """``decoder`` and ``dim`` -> ``decoder.dim``."""
    return f"{path}.{key}" if path else str(key)
