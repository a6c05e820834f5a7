"""A checkpoint of another format, seen under our names: renamed and changed as it is read."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor

from plm_components.checkpoints.changes import Change, Shape
from plm_components.checkpoints.match import match_exactly
from plm_components.checkpoints.source import TensorSource


@dataclass(frozen=True)
class RenamedTensors:
    """The tensors of a source that a key map names, under our names; a ``TensorSource`` itself.

    Nothing is read before it is asked for, and one tensor is changed at a time.

    Args:
        source: The files.
        names: Our name -> the name in the files, exact.
        changes: Our name -> what becomes of that tensor when it is read.
        may_have: Names the files may have beside those: they are not read.
    """

    source: TensorSource
    names: Mapping[str, str]
    changes: Mapping[str, Change] = field(default_factory=dict)
    may_have: Collection[str] = ()

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
    def left_aside(self) -> tuple[str, ...]:
        """Names in the files that are allowed there and not read."""
        return tuple(name for name in self.source.shapes if name in self.may_have)

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

    def match(
        self,
        wanted: Mapping[str, Shape],
        *,
        may_be_absent: Collection[str] = (),
        where: str,
        fix: str,
    ) -> tuple[str, ...]:
        """Compares names and shapes with a model's, in the words of the files.

        Args:
            wanted: Shapes by our names; every one of them is in the key map.
            may_be_absent: Our names that the files need not have.
            where: The file, for the message.
            fix: What to do about a mismatch, for the message.

        Returns:
            Our names, in the model's order.

        Raises:
            CheckpointError: the first few names of each fault, and the counts.
        """
        ours = {self.names[name]: name for name in wanted}
        theirs = {self.names[name]: self._stored_shape(name, wanted[name]) for name in wanted}
        found = match_exactly(
            self.source.shapes,
            theirs,
            may_be_absent={self.names[name] for name in may_be_absent},
            ignored=self.may_have,
            where=where,
            fix=fix,
        )
        return tuple(ours[name] for name in found)

    def sha256(self) -> str:
        """Of the source."""
        return self.source.sha256()

    def _changed_shape(self, ours: str, stored: Shape) -> Shape:
        change = self.changes.get(ours)
        return stored if change is None else change.shape(stored)

    def _stored_shape(self, ours: str, wanted: Shape) -> Shape:
        change = self.changes.get(ours)
        return wanted if change is None else change.inverse.shape(wanted)
