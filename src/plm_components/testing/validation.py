"""What the kit says of a distribution, a kind, a part or a part file, on one screen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from plm_components.errors import PluginError
from plm_components.testing.devices import meant_for, usable_device
from plm_components.testing.outcome import CheckResult
from plm_components.testing.selection import select
from plm_components.testing.trial import conformance
from plm_components.zoo import KINDS, Entry, Zoo, default_zoo


@dataclass(frozen=True)
class PartReport:
    """One part's verdict.

    Args:
        entry: Its line of the zoo.
        results: One for every check of every example; empty where it could not be tried.
        reason: Why it was not tried; empty where it was.
    """

    entry: Entry
    results: tuple[CheckResult, ...]
    reason: str = ""

    @property
    def contract(self) -> int:
        """The version of its kind's contract that was checked."""
        return KINDS[self.entry.kind].contract

    @property
    def failed(self) -> tuple[CheckResult, ...]:
        """Every promise that is broken."""
        return tuple(result for result in self.results if result.outcome == "failed")

    def count(self, outcome: str) -> int:
        """Results of one outcome."""
        return sum(result.outcome == outcome for result in self.results)

    @property
    def ok(self) -> bool:
        """Whether something was asked of it and nothing failed."""
        return not self.failed and self.count("passed") > 0


@dataclass(frozen=True)
class Validation:
    """The kit over everything that one name means.

    Args:
        name: As it was asked for.
        parts: A report each.
        device: Where the checks ran.
    """

    name: str
    parts: tuple[PartReport, ...]
    device: str = "cpu"

    @property
    def ok(self) -> bool:
        """Whether every part was tried and keeps all its promises."""
        return all(part.ok for part in self.parts)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for ``--json``."""
        parts = [_plain(part) for part in self.parts]
        return {"name": self.name, "device": self.device, "ok": self.ok, "parts": parts}


def validate(name: str, *, zoo: Zoo | None = None, device: str = "cpu") -> Validation:
    """Runs the conformance kit over the parts that a name means.

    Args:
        name: A distribution (``plm-foo``), a part file (``./my_part.py``), an address or a kind.
        zoo: Where to look; a part file is added to a copy.
        device: Where the checks run. Parts whose kind always works on the CPU are left out
            elsewhere.

    Raises:
        UsageError: this machine has no such device, or nothing named runs on one.
        PluginError: a distribution that was put aside before it could register anything.
        UnknownComponentError: nothing is called so.
    """
    zoo, device = (zoo or default_zoo()).copy(), usable_device(device)
    for plugin in zoo.plugins:
        if plugin.aside is not None and plugin.provider.answers_to(name):
            raise PluginError(
                f"{plugin.provider} is {plugin.aside}: {plugin.reason}.",
                where=plugin.place,
                expected="a plugin that loads",
                fix="plm plugins doctor says more",
            )
    chosen = meant_for(device, select(name, zoo))
    parts = tuple(_report(entry, zoo, device) for entry in chosen)
    return Validation(name, parts, device)


def contracts_checked(entries: Sequence[Entry], device: str = "cpu") -> str:
    """``decoder 1, projector 1 on cpu``: the contracts whose promises the checks hold these to."""
    kinds = sorted({entry.kind for entry in entries})
    return ", ".join(f"{kind} {KINDS[kind].contract}" for kind in kinds) + f" on {device}"


def _report(entry: Entry, zoo: Zoo, device: str) -> PartReport:
    if entry.status != "available":
        return PartReport(entry, (), f"{entry.status}: it {entry.reason}")
    results = tuple(conformance(entry, zoo=zoo, device=device))
    reason = "" if results else "no example can be built without further files"
    return PartReport(entry, results, reason)


def _plain(part: PartReport) -> dict[str, Any]:
    return {
        "address": part.entry.address,
        "provider": part.entry.provider.distribution,
        "version": part.entry.provider.version,
        "contract": part.contract,
        "ok": part.ok,
        "reason": part.reason or None,
        "results": [asdict(result) for result in part.results],
    }
