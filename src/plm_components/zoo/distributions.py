"""What installed distributions say about themselves; nothing of theirs is imported."""

from __future__ import annotations

from importlib.metadata import Distribution, EntryPoint, PackageNotFoundError, distribution

from plm_components.errors import PluginError
from plm_components.zoo.component import Provider

GROUP = "plm_components"
ENTRY_POINTS = "entry_points.txt"


def place_of(found: Distribution) -> str:
    """Its folder of metadata, to name what has no readable name."""
    return str(getattr(found, "_path", None) or found.locate_file(""))


def provider_of(found: Distribution) -> Provider:
    """Name and version, from the head of its metadata: a long description is not parsed.

    Raises:
        PluginError: the metadata say no name.
    """
    text = found.read_text("METADATA") or found.read_text("PKG-INFO") or ""
    head = (line.partition(":") for line in text.partition("\n\n")[0].splitlines())
    said = {field.lower(): value.strip() for field, _, value in head}
    if not said.get("name"):
        raise PluginError(
            "The distribution's metadata say no name.",
            where=place_of(found),
            expected="METADATA with Name and Version, as pip writes it",
            fix="install it again",
        )
    return Provider(said["name"], said.get("version") or "unknown")


def points_of(found: Distribution) -> list[EntryPoint]:
    """Its entry points of our group, by name."""
    return sorted(found.entry_points.select(group=GROUP), key=lambda point: point.name)


def copy_in_front(found: Distribution, name: str) -> Distribution | None:
    """Another copy of the distribution that stands earlier on the path: the one Python sees."""
    try:
        first = distribution(name)
    except PackageNotFoundError:  # its folder is named otherwise than it is
        return None
    return None if place_of(first) == place_of(found) else first
