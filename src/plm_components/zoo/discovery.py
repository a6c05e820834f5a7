"""Installed plugins, found by their entry points. A plugin that fails is quarantined, alone."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points

from plm_components.zoo.component import Component, Provider
from plm_components.zoo.hooks import components_of

GROUP = "plm_components"


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
    """Every entry point of the group with its components, or with what went wrong."""
    for point in sorted(entry_points(group=GROUP), key=lambda point: (point.name, point.value)):
        provider = _provider(point)
        try:
            yield provider, components_of(point.load(), point.name)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # SystemExit at import is a plugin's failure too
            yield provider, _problem(point, provider, error)


def _provider(point: EntryPoint) -> Provider:
    if point.dist is None:
        return Provider(point.value, "unknown")
    return Provider(point.dist.name, point.dist.version)


def _problem(point: EntryPoint, provider: Provider, error: BaseException) -> Problem:
    summary = traceback.format_exception_only(error)[-1].strip().splitlines()[0]
    return Problem(point.name, provider, summary, "".join(traceback.format_exception(error)))
