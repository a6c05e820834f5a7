"""A spec that a plugin ships: data in its package, found by an exact name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from plm_components.errors import PluginError
from plm_components.zoo.component import Provider

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")


@dataclass(frozen=True)
class SpecFile:
    """One spec of a plugin.

    Args:
        file: A ``.yaml`` file; its stem is the spec's name.
        provider: Who ships it.

    Raises:
        PluginError: there is no such file, or its name cannot be a spec's.
    """

    file: Path
    provider: Provider

    def __post_init__(self) -> None:
        path: object = self.file
        if isinstance(path, Path) and path.suffix == ".yaml" and _NAME.fullmatch(path.stem):
            if path.is_file():
                return
            what, fix = f"There is no spec {path.name}.", "ship the file: name it in package-data"
        else:
            what, fix = f"{path!r} names no spec.", "yield Path(__file__).parent / 'name.yaml'"
        raise PluginError(
            what,
            where=f"{path}, from {self.provider}",
            expected="paths of YAML files, such as specs/tiny-gated.yaml",
            fix=fix,
        )

    @property
    def name(self) -> str:
        """The spec's name."""
        return self.file.stem

    @property
    def qualified(self) -> str:
        """``dist:name``, which is never ambiguous between providers."""
        return f"{self.provider.distribution}:{self.name}"
