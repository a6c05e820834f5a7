"""What the zoo holds, and which plugins it had to put aside."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plm_components.doctor.finding import Finding
from plm_components.doctor.remedies import first_line

if TYPE_CHECKING:
    from plm_components.zoo import Problem, Zoo


def zoo_findings() -> list[Finding]:
    """The zoo in one line, then one line a plugin that could not be used."""
    try:
        # here, not above: without pluggy the doctor still has to say that pluggy is missing
        from plm_components.zoo import Zoo

        zoo = Zoo.discover()
    except Exception as error:
        said = f"{type(error).__name__}: {error}"
        return [Finding("zoo", "broken", first_line(said), "mend the packages above", True, said)]
    return [_parts(zoo), *_unavailable(zoo), *(_quarantined(one) for one in zoo.problems)]


def _parts(zoo: Zoo) -> Finding:
    entries = zoo.entries()
    usable = sum(entry.status == "available" for entry in entries)
    providers = sorted({str(entry.provider) for entry in entries})
    return Finding(
        "zoo", "ok", f"{usable} of {len(entries)} parts usable, from {', '.join(providers)}"
    )


def _unavailable(zoo: Zoo) -> list[Finding]:
    return [
        Finding(entry.address, "absent", f"it {entry.reason}", _install(entry.component.requires))
        for entry in zoo.entries()
        if entry.status == "unavailable"
    ]


def _install(requires: tuple[str, ...]) -> str:
    wanted = " ".join(f"'{name}'" for name in requires if name not in ("cuda", "mps"))
    return f"pip install {wanted}" if wanted else "update the plugin or plm-components"


def _quarantined(problem: Problem) -> Finding:
    return Finding(
        f"plugin {problem.plugin}",
        "broken",
        f"{problem.provider}: {first_line(problem.error)}",
        f"pip install --upgrade {problem.provider.distribution}, or pip uninstall it",
        error=problem.traceback,
    )
