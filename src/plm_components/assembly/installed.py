"""Whether the parts of a saved variant are registered here, and whose are meant.

A short name may mean several by the time a variant is loaded; the lock knows the distribution.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from plm_components.assembly.lock import Lock, LockedPart
from plm_components.errors import PluginError
from plm_components.zoo import KINDS, Entry, Zoo


def require_installed(lock: Lock, zoo: Zoo) -> None:
    """Refuses a variant whose parts are not all registered here.

    Raises:
        PluginError: a part is missing; says what to install.
    """
    missing = [part for part in lock.parts if not _is_registered(part, zoo)]
    if not missing:
        return
    named = "; ".join(f"{part.path}: {part.kind}/{part.name}" for part in missing)
    raise PluginError(
        f"Parts of this variant are not installed: {named}.",
        where=", ".join(dict.fromkeys(part.path for part in missing)),
        expected=", ".join(dict.fromkeys(part.provider for part in missing)),
        fix=" and ".join(dict.fromkeys(_how_to_get(part, zoo) for part in missing)),
    )


def with_providers_named(data: dict[str, Any], lock: Lock, zoo: Zoo) -> dict[str, Any]:
    """A saved spec in which each name means what the lock says, and nothing else.

    Args:
        data: As saved.
        lock: Beside it.
        zoo: Where its parts will be looked up.

    Returns:
        The same where every name has one provider.
    """
    for part in lock.parts:
        for entry in _of_lock(part, zoo):
            meant = {
                part.name: zoo.spelling(entry),
                # a part file may lie elsewhere now
                f"{part.distribution}:{part.name}": entry.qualified,
            }
            data = _typed(data, part.path.split("."), meant)
    return data


def _is_registered(part: LockedPart, zoo: Zoo) -> bool:
    """Whether it is there from where the lock says, or from the only provider of its name."""
    return bool(_of_lock(part, zoo)) or len(_of_name(part, zoo)) == 1


def _of_lock(part: LockedPart, zoo: Zoo) -> list[Entry]:
    found = _of_name(part, zoo)
    if part.sha256 is not None:
        return [entry for entry in found if entry.provider.sha256 == part.sha256]
    return [entry for entry in found if entry.provider.answers_to(part.distribution)]


def _of_name(part: LockedPart, zoo: Zoo) -> list[Entry]:
    entries = zoo.entries(part.kind) if part.kind in KINDS else []
    return [entry for entry in entries if entry.name == part.name]


def _typed(value: Any, path: list[str], meant: Mapping[str, str]) -> Any:
    """A spec whose part at a path has the ``type`` that is meant by the one it has."""
    if not isinstance(value, dict):
        return value
    if not path:
        said = value.get("type")
        return {**value, "type": meant.get(said, said)} if isinstance(said, str) else value
    first, *rest = path
    return {**value, first: _typed(value[first], rest, meant)} if first in value else value


def _how_to_get(part: LockedPart, zoo: Zoo) -> str:
    if part.sha256 is not None:
        return f"offer the part file {part.distribution} (sha256 {part.sha256[:12]}) as a plugin"
    for plugin in zoo.plugins:
        if plugin.aside is not None and plugin.provider.answers_to(part.distribution):
            return f"{plugin.provider} is here and {plugin.aside}: plm plugins doctor says why"
    return f"pip install {part.distribution}=={part.version}"
