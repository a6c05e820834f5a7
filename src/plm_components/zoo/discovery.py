"""Installed plugins, found by their entry points. A plugin that fails is quarantined, alone."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, EntryPoint, distribution, distributions

from plm_components.errors import PluginError
from plm_components.zoo.component import Component, Provider
from plm_components.zoo.hooks import components_of

GROUP = "plm_components"
_FILE = "entry_points.txt"


@dataclass(frozen=True)
class Problem:
    """A plugin in quarantine.

    Args:
        plugin: The entry point's name.
        provider: The distribution that declares it.
        error: The failure in one line.
        traceback: The whole of it.
    """

    plugin: str
    provider: Provider
    error: str
    traceback: str


def installed_plugins() -> Iterator[tuple[Provider, list[Component] | Problem]]:
    """Every entry point of the group with its components, or with what went wrong.

    Our own loop: pluggy's stops at the first failure and drops a second plugin of one name.
    """
    for found in distributions():
        provider = Provider(_place(found), "unknown")
        try:
            if GROUP not in (found.read_text(_FILE) or ""):
                continue
            provider = _provider(found)
            points = _points(found)
        except Exception as error:  # its metadata is whatever someone wrote
            yield provider, _problem(_FILE, provider, error)
            continue
        for point in points:
            yield provider, _components(point, provider)


def _place(found: Distribution) -> str:
    """Its folder of metadata, to name what has no readable name."""
    return str(getattr(found, "_path", None) or found.locate_file(""))


def _provider(found: Distribution) -> Provider:
    name = _said(found, "Name")
    if not name:
        raise PluginError(
            "The distribution's metadata say no name.",
            where=_place(found),
            expected="METADATA with Name and Version, as pip writes it",
            fix="install it again",
        )
    return Provider(name, _said(found, "Version") or "unknown")


def _said(found: Distribution, field: str) -> str | None:
    if not (found.read_text("METADATA") or found.read_text("PKG-INFO")):
        return None
    about = found.metadata
    return str(about[field]) if field in about else None


def _points(found: Distribution) -> list[EntryPoint]:
    """Its entry points of our group; none where another copy of it stands earlier on the path."""
    points = sorted(found.entry_points.select(group=GROUP), key=lambda point: point.name)
    if points and distribution(found.metadata["Name"]).read_text(_FILE) != found.read_text(_FILE):
        return []
    return points


def _components(point: EntryPoint, provider: Provider) -> list[Component] | Problem:
    try:
        return components_of(point.load(), point.name)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # SystemExit at import is a plugin's failure too
        return _problem(point.name, provider, error)


def _problem(plugin: str, provider: Provider, error: BaseException) -> Problem:
    summary = traceback.format_exception_only(error)[-1].strip().splitlines()[0]
    return Problem(plugin, provider, summary, "".join(traceback.format_exception(error)))
