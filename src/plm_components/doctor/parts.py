"""Parts that cannot be used here: requirement, contract or device; asks torch's report only."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from plm_components.doctor.finding import Finding
from plm_components.doctor.probes import Probe

if TYPE_CHECKING:
    from plm_components.zoo import Entry


def unusable_parts(parts: Iterable[Entry], torch: Probe) -> Iterator[Finding]:
    """One line for all parts of a provider that lack the same.

    Args:
        parts: Of the zoo.
        torch: How importing torch went; where it failed, nobody knows the devices.
    """
    lacking: dict[tuple[str, str], list[Entry]] = {}
    for entry in parts:
        reason = obstacle(entry, torch)
        if reason is not None:
            lacking.setdefault((str(entry.provider), reason), []).append(entry)
    for (_, reason), entries in lacking.items():
        status = entries[0].status
        yield Finding(
            first_of([entry.address for entry in entries]),
            "broken" if status == "incompatible" else "absent",
            f"{'it' if len(entries) == 1 else 'each'} {reason}",
            "" if status == "available" else entries[0].remedy,
        )


def first_of(names: Sequence[str], count: int = 3) -> str:
    """A few names, and how many there are besides."""
    more = f" and {len(names) - count} more" if len(names) > count else ""
    return ", ".join(names[:count]) + more


def obstacle(entry: Entry, torch: Probe) -> str | None:
    """Why a part cannot be used here; None where it can, or where nobody knows the devices."""
    # here, not above: the doctor runs where the zoo cannot be imported
    from plm_components.zoo.requirements import missing_device

    if entry.status != "available":
        return entry.reason
    if torch.state != "ok":
        return None
    return missing_device(entry.component.requires, _capability_of(torch))


def _capability_of(torch: Probe) -> Callable[[str], tuple[int, int] | None]:
    here = {name: (0, 0) for name in ("mps", "xpu") if torch.facts.get(name)}
    if torch.facts["devices"]:
        # the first device is the one torch uses unless told otherwise
        major, _, minor = torch.facts["devices"][0]["capability"].partition(".")
        here["cuda"] = (int(major), int(minor))
    return here.get
