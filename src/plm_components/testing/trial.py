"""Runs the checks of a kind over a part and says what each saw."""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from plm_components.errors import PluginError, UnavailableError, UnsupportedError, UsageError
from plm_components.seeding import seeded
from plm_components.testing.cases import Case, cases_of
from plm_components.testing.devices import ON_DEVICE, full_precision, usable_device
from plm_components.testing.outcome import Broken, CheckResult, NotApplicable, Outcome
from plm_components.testing.roster import Check, checks_for
from plm_components.testing.subject import Subject
from plm_components.zoo import Component, Entry, Zoo, default_zoo
from plm_components.zoo.requirements import required_devices, unresolved_devices

_HERE = str(Path(__file__).parent)


@dataclass(frozen=True)
class Trial:
    """One check of one example of one part, not yet run.

    Args:
        entry: The part's line of the zoo.
        case: The example.
        check: The check.
        zoo: Where the part and those nested in it are looked up.
        device: Where it runs.
    """

    entry: Entry
    case: Case
    check: Check
    zoo: Zoo = field(repr=False)
    device: str = "cpu"

    @property
    def id(self) -> str:
        """``projector/linear-defaults-shape_law``."""
        return f"{self.entry.address}-{self.case.name.replace(' ', '_')}-{self.check.name}"

    def run(self) -> CheckResult:
        """The verdict; never raises for what the part does."""
        with seeded(0, self.device), full_precision(), torch.no_grad():
            outcome, detail = _run(self)
        return CheckResult(self.check.name, self.check.promise, self.case.name, outcome, detail)


def _run(trial: Trial) -> tuple[Outcome, str]:
    if trial.device != "cpu" and trial.entry.kind not in ON_DEVICE:
        return "skipped", f"a {trial.entry.kind} runs on the cpu, wherever the model is"
    try:
        cls = trial.entry.load()
    except UnavailableError as error:
        return "skipped", error.what
    except PluginError as error:
        # one fault, told once
        if trial.check.name == "loads":
            return "failed", str(error)
        return "skipped", "it cannot be loaded: see loads"
    subject = Subject(trial.entry, cls, trial.case, trial.zoo, trial.device)
    return _verdict(trial.check, subject)


def _verdict(check: Check, subject: Subject) -> tuple[Outcome, str]:
    try:
        check.function(subject)
    except Broken as fault:
        return "failed", str(fault)
    except NotApplicable as reason:
        return "skipped", str(reason)
    except Exception as error:
        elsewhere = _elsewhere(subject, error)
        return ("skipped", elsewhere) if elsewhere else ("failed", _raised(error))
    return "passed", ""


def _elsewhere(subject: Subject, error: Exception) -> str | None:
    """Why nothing can be asked here of a part that runs on another device than these checks."""
    requires = subject.entry.component.requires
    here = torch.device(subject.device).type
    if not isinstance(error, UnsupportedError) or here in required_devices(requires):
        return None
    devices = unresolved_devices(requires)
    return devices and f"{devices}, and these checks run on the {here}: {error.what}"


def _raised(error: Exception) -> str:
    """The error and the lines that led to it, from the part on."""
    frames = traceback.extract_tb(error.__traceback__)
    theirs = [frame for frame in frames if not frame.filename.startswith(_HERE)]
    lines = "".join(traceback.format_list(theirs[-4:]))
    return f"raised {type(error).__name__}: {error}\n{lines}".rstrip()


def trials(
    part: Entry | type[Any],
    cases: Case | Mapping[str, Any] | None = None,
    *,
    kind: str | None = None,
    zoo: Zoo | None = None,
    only: str | None = None,
    device: str = "cpu",
) -> Iterator[Trial]:
    """Every check of every example of a part.

    Args:
        part: An entry of a zoo, or a class of some module.
        cases: An example, or its options; by default those its package declares.
        kind: Needed for a class.
        zoo: Where nested parts are looked up; the default zoo.
        only: Name of a single check.
        device: Where the checks run (``cuda``). Stimuli are the same on every device.

    Raises:
        UsageError: a class without its kind, or a check or a device that does not exist.
    """
    zoo, device = zoo or default_zoo(), usable_device(device)
    if not isinstance(part, Entry):
        part, zoo = _entered(part, kind, zoo)
    checks = [one for one in checks_for(part.kind) if only in (None, one.name)]
    if not checks:
        names = ", ".join(one.name for one in checks_for(part.kind))
        raise _usage(f"There is no check {only!r} of a {part.kind}.", f"one of: {names}")
    for case in _cases(part, cases):
        for one in checks:
            yield Trial(part, case, one, zoo, device)


def conformance(
    part: Entry | type[Any],
    cases: Case | Mapping[str, Any] | None = None,
    *,
    kind: str | None = None,
    zoo: Zoo | None = None,
    only: str | None = None,
    device: str = "cpu",
) -> list[CheckResult]:
    """Runs them all; see ``trials`` for the arguments.

    >>> from plm_components.zoo import default_zoo
    >>> results = conformance(default_zoo().get("projector", "linear"), only="shape_law")
    >>> [(result.check, result.outcome) for result in results]
    [('shape_law', 'passed')]
    """
    chosen = trials(part, cases, kind=kind, zoo=zoo, only=only, device=device)
    return [trial.run() for trial in chosen]


def _entered(cls: type[Any], kind: str | None, zoo: Zoo) -> tuple[Entry, Zoo]:
    """A class as an entry of a copy of the zoo, under its name in lower case."""
    if kind is None:
        raise _usage(f"The kind of {cls.__name__} is not known.", "kind='projector' beside a class")
    if "<locals>" in cls.__qualname__:
        raise _usage(f"{cls.__name__} is defined inside a function.", "a class of a module")
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", cls.__name__).lower().strip("_")
    zoo = zoo.copy()
    return zoo.add(Component(kind, name, f"{cls.__module__}:{cls.__qualname__}")), zoo


def _cases(entry: Entry, given: Case | Mapping[str, Any] | None) -> list[Case]:
    if isinstance(given, Case):
        return [given]
    return cases_of(entry) if given is None else [Case("given", given)]


def _usage(what: str, expected: str) -> UsageError:
    return UsageError(
        what,
        where="plm_components.testing.trials",
        expected=expected,
        fix="conformance(MyProjector, kind='projector', only='shape_law')",
    )
