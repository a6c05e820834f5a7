"""Every plugin: what became of it, and what to do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from plm_components.doctor.finding import Finding
from plm_components.doctor.parts import unusable_parts
from plm_components.doctor.probes import Probe, probe
from plm_components.doctor.remedies import first_line

if TYPE_CHECKING:
    from plm_components.zoo import Entry, Plugin, Zoo

_STATES = {
    "loaded": "ok",
    "blocked": "absent",
    "unavailable": "absent",
    "incompatible": "broken",
    "quarantined": "broken",
    "shadowed": "broken",
}


def examine_plugins(zoo: Zoo, *, timeout_s: float = 60.0) -> list[Finding]:
    """A line a plugin, then their parts that cannot be used, and names that mean none or several.

    Args:
        zoo: What ``Zoo.discover`` found.
        timeout_s: How long torch may take to say which devices there are; asked in another
            process, and only where a part needs one.
    """
    plugins = [plugin_finding(plugin) for plugin in zoo.plugins]
    # where none of its parts can be used, the plugin's own line says why
    loaded = [plugin for plugin in zoo.plugins if plugin.state == "loaded"]
    parts = [entry for plugin in loaded for entry in plugin.entries]
    return [*plugins, *unusable_parts(parts, _torch(parts, timeout_s)), *misnamed(zoo)]


def plugin_finding(plugin: Plugin) -> Finding:
    """What became of one plugin."""
    count = len(plugin.entries)
    said = [plugin.reason or f"{count} part{'s' if count != 1 else ''}", *plugin.notes]
    return Finding(
        f"plugin {plugin.name}",
        _STATES[plugin.state],
        first_line(f"{plugin.provider} {plugin.state}: {'; '.join(said)}", limit=240),
        _fix(plugin),
        error=plugin.traceback,
    )


def misnamed(zoo: Zoo) -> Iterator[Finding]:
    """Names that mean several parts, and names in ``PLM_PLUGINS`` that mean no plugin."""
    for same in zoo.clashes():
        yield Finding(
            same[0].address,
            "broken",
            f"its name means several: of {' and of '.join(str(one.provider) for one in same)}",
            f"say in the spec which: {' or '.join(f'type: {one.qualified}' for one in same)}",
        )
    for complaint in zoo.complaints:
        yield Finding("PLM_PLUGINS", "broken", complaint, "correct the name, or unset PLM_PLUGINS")


def _fix(plugin: Plugin) -> str:
    name = plugin.provider.distribution
    if plugin.state == "quarantined":
        return f"pip install --upgrade {name}, or leave it out: PLM_PLUGINS=-{name}"
    if plugin.state == "shadowed":
        return "remove the copy that is stale: pip uninstall it, then install it again"
    if plugin.state in ("unavailable", "incompatible"):
        return next(one.remedy for one in plugin.entries if one.status == plugin.state)
    return ""


def _torch(parts: Sequence[Entry], timeout_s: float) -> Probe:
    from plm_components.zoo.requirements import is_device

    if not any(is_device(one) for entry in parts for one in entry.component.requires):
        return Probe("torch", None, "absent")
    return probe(("torch",), timeout_s=timeout_s)["torch"]
