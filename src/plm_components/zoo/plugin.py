"""One plugin as discovery found it: what became of it, why, and what it registered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from plm_components.zoo.component import Provider
from plm_components.zoo.entry import Entry
from plm_components.zoo.spec_file import SpecFile

Aside = Literal["blocked", "quarantined", "shadowed"]
State = Literal["loaded", "unavailable", "incompatible"] | Aside


@dataclass(frozen=True)
class Plugin:
    """An entry point of an installed distribution, or a part file.

    Args:
        name: The entry point's name.
        provider: The distribution that declares it.
        place: Its folder of metadata, or the part file.
        entries: What it registered.
        specs: The specs it ships.
        aside: How it was put aside before it could register anything; None where it was not.
        why: Why it was put aside, in one line.
        traceback: The whole failure of a plugin in quarantine.
        notes: What its author should mend though it loads.
    """

    name: str
    provider: Provider
    place: str
    entries: tuple[Entry, ...] = ()
    aside: Aside | None = None
    why: str = ""
    traceback: str = ""
    notes: tuple[str, ...] = ()
    specs: tuple[SpecFile, ...] = ()

    @property
    def state(self) -> State:
        """Loaded where one part can be used here; else what stands in the way of all of them."""
        if self.aside is not None:
            return self.aside
        statuses = {entry.status for entry in self.entries}
        if "available" in statuses or not statuses:
            return "loaded"
        return "incompatible" if "incompatible" in statuses else "unavailable"

    @property
    def reason(self) -> str | None:
        """Why nothing of it can be used, in one line; None where something can."""
        if self.aside is not None:
            return self.why
        if self.state == "loaded":
            return None
        return next(entry.reason for entry in self.entries if entry.status == self.state)
