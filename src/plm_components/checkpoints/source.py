"""What every reader of weights offers, whatever the file: names and shapes first, tensors later."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Protocol

from torch import Tensor


class TensorSource(Protocol):
    """The tensors of one checkpoint, by name; nothing but headers is read to make one."""

    @property
    def origin(self) -> str:
        """Where they come from, as a spec writes it (``plm:runs/a``), for messages."""
        ...

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Each tensor's shape."""
        ...

    @property
    def paths(self) -> tuple[Path, ...]:
        """All files, in order."""
        ...

    @property
    def num_bytes(self) -> int:
        """Of all files."""
        ...

    def read(self, names: Iterable[str]) -> Iterator[tuple[str, Tensor]]:
        """Yields ``(name, tensor)``, one at a time and in any order; views of a memory map."""
        ...

    def sha256(self) -> str:
        """Hash of all files, in order, hexadecimal."""
        ...
