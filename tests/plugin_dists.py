"""Writes distributions with plugins onto the path, as pip would have left them."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent

HEAD = "from plm_components import Component, hookimpl\n\n"


def registering(*components: str) -> str:
    """Source of a plugin that yields these, each written as an argument list."""
    lines = "".join(f"    yield Component({one})\n" for one in components)
    return f"{HEAD}@hookimpl\ndef plm_register_components():\n{lines}"


class Site:
    """A folder on the path.

    Args:
        folder: Where everything is written; whoever makes a site puts it on the path.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def plugin(self, module: str, source: str, version: str = "1.0", stated: str = "") -> None:
        """A module and its distribution, named like it; the entry point too."""
        self.module(module, source)
        name = module.replace("_", "-")
        self.distribution(name, {name: module}, version, stated=stated)

    def module(self, name: str, source: str) -> None:
        """One file."""
        (self.folder / f"{name}.py").write_text(dedent(source))

    def distribution(
        self,
        name: str,
        points: Mapping[str, str] | None,
        version: str = "1.0",
        folder: Path | None = None,
        suffix: str = "dist-info",
        stated: str = "",
    ) -> Path:
        """Metadata only, with the lines of ``stated``; no entry points where ``points`` is None."""
        info = (folder or self.folder) / f"{name.replace('-', '_')}-{version}.{suffix}"
        info.mkdir(parents=True)
        head = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{stated}"
        text = f"{head}\nWords: of a page.\n"
        (info / ("METADATA" if suffix == "dist-info" else "PKG-INFO")).write_text(text)
        if points is not None:
            lines = "".join(f"{point} = {value}\n" for point, value in points.items())
            (info / "entry_points.txt").write_text(f"[plm_components]\n{lines}")
        importlib.invalidate_caches()
        return info
