"""Files of this machine that a spec refers to: they travel inside a saved directory."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from plm_components.assembly.examination import all_parts
from plm_components.assembly.lock import Lock
from plm_components.checkpoints import VariantWriter
from plm_components.contracts import CarriesFiles
from plm_components.spec import SpecTree
from plm_components.untrusted import expanded


def with_files_copied(tree: SpecTree, writer: VariantWriter) -> dict[str, Any]:
    """The canonical spec with each local file copied beside it and referred to as ``./files/…``.

    A part says which of its options name local files (``CarriesFiles``); hub ids and package
    resources stay as they are.
    """
    data = dict(tree.data)
    for part in all_parts(tree):
        if not issubclass(part.cls, CarriesFiles):
            continue
        place = _place(data, part.path)
        for option, files in part.cls.local_files(**part.options).items():
            named = expanded(part.options[option])
            place[option] = writer.copy(named, files, part.path)
    return data


def without_part_weights(data: dict[str, Any]) -> dict[str, Any]:
    """A spec whose parts name no weights of their own: a saved directory holds them all."""

    def bare(value: Any) -> Any:
        if not isinstance(value, dict) or "type" not in value:
            return value
        return {key: bare(inner) for key, inner in value.items() if key != "weights"}

    return {slot: bare(value) for slot, value in data.items()}


def localised(data: dict[str, Any], directory: Path) -> dict[str, Any]:
    """A saved spec with ``./files/…`` where the files are now.

    Args:
        data: As saved.
        directory: It was read from, absolute.
    """

    def place(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: place(item) for key, item in value.items()}
        return str(directory / value) if _is_copied(value) else value

    return {key: place(value) for key, value in data.items()}


def lock_as_saved(lock: Lock, data: dict[str, Any]) -> Lock:
    """The lock with copied files named as the saved spec names them: no path of this machine.

    Args:
        lock: Of the variant.
        data: What ``with_files_copied`` returned.
    """
    parts = []
    for part in lock.parts:
        said = data
        for name in part.path.split("."):
            said = said[name]
        copied = {name: value for name, value in said.items() if _is_copied(value)}
        parts.append(replace(part, options={**part.options, **copied}))
    return replace(lock, parts=tuple(parts))


def lock_localised(lock: Lock, directory: Path) -> Lock:
    """A saved lock with ``./files/…`` where the files are now, as ``localised`` does for a spec."""
    parts = (replace(part, options=localised(dict(part.options), directory)) for part in lock.parts)
    return replace(lock, parts=tuple(parts))


def _is_copied(value: Any) -> bool:
    return isinstance(value, str) and value.startswith("./files/")


def _place(data: dict[str, Any], path: str) -> dict[str, Any]:
    """The mapping of a part in a spec, its own copy."""
    for name in path.split("."):
        data[name] = dict(data[name])
        data = data[name]
    return data
