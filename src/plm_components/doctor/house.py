"""What the zoo holds, which parts cannot be used here, and which plugins were put aside."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plm_components.doctor.finding import Finding
from plm_components.doctor.measurements import measurements
from plm_components.doctor.parts import first_of, unusable_parts
from plm_components.doctor.plugins import misnamed, plugin_finding
from plm_components.doctor.probes import Probe
from plm_components.doctor.remedies import first_line

if TYPE_CHECKING:
    from plm_components.zoo import Zoo


def zoo_findings(torch: Probe) -> list[Finding]:
    """The zoo in one line, then one for whatever in it cannot be used.

    Args:
        torch: How importing torch went, for the devices that parts need.
    """
    try:
        # here, not above: without pluggy the doctor still has to say that pluggy is missing
        from plm_components.zoo import Zoo

        zoo = Zoo.discover()
    except Exception as error:
        said = f"{type(error).__name__}: {error}"
        return [Finding("zoo", "broken", first_line(said), "mend the packages above", True, said)]
    # of plugins that loaded, the parts say the rest
    told = [plugin for plugin in zoo.plugins if plugin.aside is not None or plugin.notes]
    plugins = [plugin_finding(plugin) for plugin in told]
    parts = zoo.entries()
    return [
        _parts(zoo),
        *unusable_parts(parts, torch),
        *measurements(parts, torch),
        *plugins,
        *misnamed(zoo),
    ]


def _parts(zoo: Zoo) -> Finding:
    entries = zoo.entries()
    usable = sum(entry.status == "available" for entry in entries)
    providers = sorted({str(entry.provider) for entry in entries})
    return Finding(
        "zoo", "ok", f"{usable} of {len(entries)} parts usable, from {first_of(providers)}"
    )
