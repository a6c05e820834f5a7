"""Installed plugins, found by their entry points; one that fails is put aside, alone.

Our own loop over distributions: pluggy's stops at the first failure and drops a second plugin of
one name.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import Distribution, EntryPoint, distributions
from pathlib import Path

from plm_components.zoo.choice import Choice
from plm_components.zoo.component import Provider
from plm_components.zoo.distributions import (
    ENTRY_POINTS,
    GROUP,
    copy_in_front,
    place_of,
    points_of,
    provider_of,
)
from plm_components.zoo.loading import loaded, quarantined, shadowed
from plm_components.zoo.plugin import Plugin


def installed_plugins(choice: Choice) -> Iterator[Plugin]:
    """Every entry point of our group, with its parts or with why it was put aside.

    Args:
        choice: What the environment lets in.

    Raises:
        PluginError: one is broken or shadowed, and the environment says that this raises.
    """
    owners: dict[str, Provider] = {}
    seen: set[str] = set()
    for found in sorted(distributions(), key=_by_name):
        place = place_of(found)
        if place in seen:  # a folder may stand on the path twice
            continue
        seen.add(place)
        provider = Provider(place, "unknown")
        try:
            if GROUP not in (found.read_text(ENTRY_POINTS) or ""):
                continue
            provider = provider_of(found)
            points = points_of(found)
            front = copy_in_front(found, provider.distribution) if points else None
            stale = None if front is None else _difference(front, provider, points)
        except Exception as error:  # its metadata is whatever someone wrote
            yield quarantined(Plugin(ENTRY_POINTS, provider, place), error)
            continue
        if front is not None and stale is None:
            continue  # the same twice, as an editable install and its source folder are
        for point in points:
            plugin = Plugin(point.name, provider, place)
            yield shadowed(plugin, stale) if stale else _examined(plugin, point, choice, owners)


def _by_name(found: Distribution) -> tuple[str, str]:
    # folders are read in any order, and what became of whom must not depend on it
    place = Path(place_of(found))
    return place.name, str(place)


def _difference(front: Distribution, behind: Provider, points: list[EntryPoint]) -> str | None:
    """What the copy in front says otherwise; None where it says the same."""
    provider, others = provider_of(front), points_of(front)
    if others == points and provider.version == behind.version:
        return None
    which = provider.version if others == points else f"{provider.version}, with other plugins,"
    return f"version {which} stands in front of it: {place_of(front)}"


def _examined(
    plugin: Plugin, point: EntryPoint, choice: Choice, owners: dict[str, Provider]
) -> Plugin:
    refusal = choice.refusal(plugin.name, plugin.provider)
    if refusal is not None:
        return replace(plugin, aside="blocked", why=refusal)
    owner = owners.get(point.value)
    if owner is not None and owner != plugin.provider:
        # one name is one module in a process: asking it again would give it another's parts
        return shadowed(plugin, f"its {point.value} is already that of {owner}")
    plugin = loaded(plugin, point)
    if plugin.aside is None:
        owners[point.value] = plugin.provider
    return plugin
