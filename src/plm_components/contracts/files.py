"""What a part of any kind may promise besides: the files it was built from travel with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable


@runtime_checkable
class CarriesFiles(Protocol):
    """A part some of whose options name files of this machine; optional for every kind.

    A saved variant holds copies of them, so that it loads where the originals are not.
    """

    @classmethod
    def local_files(cls, **options: object) -> Mapping[str, Sequence[Path]]:
        """The files to copy, by the option that names them or their directory.

        Options that name a hub id or a package's resource, or nothing, are left out.
        """
        ...
