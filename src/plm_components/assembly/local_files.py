"""Files of this machine that a spec refers to: they travel inside a saved directory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from plm_components.assembly.examination import all_parts
from plm_components.checkpoints import VariantWriter
from plm_components.spec import SpecTree


def with_files_copied(tree: SpecTree, writer: VariantWriter) -> dict[str, Any]:
    """The canonical spec with each local file copied beside it and referred to as ``./files/…``.

    A part says which of its options name local files by a class method
    ``local_files(**options) -> {option: path}``; hub ids and package resources stay as they are.
    """
    data = {
        key: dict(value) if isinstance(value, dict) else value for key, value in tree.data.items()
    }
    for part in all_parts(tree):
        local_files = getattr(part.cls, "local_files", None)
        if local_files is None:
            continue
        place = _place(data, part.path)
        for option, path in local_files(**part.options).items():
            place[option] = writer.copy(path, f"{part.path}-{path.name}")
    return data


def localised(data: dict[str, Any], directory: Path) -> dict[str, Any]:
    """A saved spec with ``./files/…`` where the files are now.

    Args:
        data: As saved.
        directory: It was read from, absolute.
    """

    def place(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: place(item) for key, item in value.items()}
        is_copied = isinstance(value, str) and value.startswith("./files/")
        return str(directory / value) if is_copied else value

    return {key: place(value) for key, value in data.items()}


def _place(data: dict[str, Any], path: str) -> dict[str, Any]:
    """The mapping of a part in a spec, its own copy."""
    for name in path.split("."):
        data[name] = dict(data[name])
        data = data[name]
    return data
