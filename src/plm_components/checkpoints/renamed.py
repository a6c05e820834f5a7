"""A checkpoint of another format, seen under our names: renamed and changed as it is read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor

from plm_components.checkpoints.changes import Change, Shape
from plm_components.checkpoints.source import TensorSource


@dataclass(frozen=True)
class RenamedTensors:
    """The tensors of a source that a key map names, under our names; a ``TensorSource`` itself.

    Nothing is read before it is asked for, and one tensor is changed at a time.

    Args:
        source: The files.
        names: Our name -> the name in the files, exact.
        changes: Our name -> what becomes of that tensor when it is read.
    """

    source: TensorSource
    names: Mapping[str, str]
    changes: Mapping[str, Change] = field(default_factory=dict)

    @property
    def origin(self) -> str:
        """Of the source."""
        return self.source.origin

    @property
    def shapes(self) -> dict[str, Shape]:
        """Shapes after the change, of the tensors the source has."""
        stored = self.source.shapes
        return {
            ours: self._changed_shape(ours, stored[theirs])
            for ours, theirs in self.names.items()
            if theirs in stored
        }

    @property
    def unnamed(self) -> tuple[str, ...]:
        """Names in the files that the map does not know: the caller says which may be there."""
        known = set(self.names.values())
        return tuple(name for name in self.source.shapes if name not in known)

    @property
    def paths(self) -> tuple[Path, ...]:
        """Of the source."""
        return self.source.paths

    @property
    def num_bytes(self) -> int:
        """Of the source."""
        return self.source.num_bytes

    def read(self, names: Iterable[str]) -> Iterator[tuple[str, Tensor]]:
        """Yields ``(our name, tensor)``; what no change touches is a view of the file."""
        ours = {self.names[name]: name for name in names}
        for theirs, tensor in self.source.read(ours):
            name = ours[theirs]
            change = self.changes.get(name)
            yield name, tensor if change is None else change(tensor)

    def sha256(self) -> str:
        """Of the source."""
        return self.source.sha256()

    def _changed_shape(self, ours: str, stored: Shape) -> Shape:
        change = self.changes.get(ours)
        return stored if change is None else change.shape(stored)
