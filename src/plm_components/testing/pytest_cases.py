"""Trials as pytest items, and as one parametrized test for a plugin's own test file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from plm_components.testing.outcome import CheckResult
from plm_components.testing.selection import select
from plm_components.testing.trial import Trial, trials
from plm_components.zoo import Entry, Zoo, default_zoo

_HEADING = "plm-conformance"


class ConformanceItem(pytest.Item):
    """One trial, or a part that cannot be tried here."""

    def __init__(self, *, trial: Trial | Entry, **rest: Any) -> None:
        super().__init__(**rest)
        self.trial = trial

    def runtest(self) -> None:
        """Runs the check."""
        report(self.trial)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Where the report says it happened."""
        return Path(_HEADING), None, self.name


def items_of(
    session: pytest.Session, entries: Sequence[Entry], zoo: Zoo, device: str
) -> list[ConformanceItem]:
    """One item a check of each example of each entry."""
    return [
        ConformanceItem.from_parent(
            session, name=trial_id(one), nodeid=f"{_HEADING}::{trial_id(one)}", trial=one
        )
        for one in _trials(entries, zoo, device)
    ]


def conformance_test(*names: str, zoo: Zoo | None = None) -> Callable[..., None]:
    """A parametrized test over everything these names mean, for a plugin's own tests.

    It runs where ``--plm-device`` says.

    .. code-block:: python

        # tests/test_conformance.py
        from plm_components.testing import conformance_test

        test_conformance = conformance_test("plm-gated-pool")
    """
    zoo = zoo or default_zoo()
    chosen = [entry for name in names for entry in select(name, zoo)]
    return parametrized(list(_trials(chosen, zoo)))


def parametrized(chosen: Sequence[Trial | Entry]) -> Callable[..., None]:
    """A test with one parameter set a trial."""

    @pytest.mark.parametrize("trial", [pytest.param(one, id=trial_id(one)) for one in chosen])
    def test_conformance(trial: Trial | Entry, request: pytest.FixtureRequest) -> None:
        # the option is unknown where our plugin is switched off
        device = request.config.getoption("--plm-device", default="cpu")
        report(replace(trial, device=device) if isinstance(trial, Trial) else trial)

    return test_conformance


def report(trial: Trial | Entry) -> None:
    """Runs a trial; fails or skips the running test with what was seen."""
    if isinstance(trial, Entry):
        pytest.skip(_why_not(trial))
    result: CheckResult = trial.run()
    if result.outcome == "failed":
        pytest.fail(
            f"{trial.entry.address} does not keep its promise: {result.promise}.\n"
            f"  check:   {result.check}\n"
            f"  example: {result.case} {dict(trial.case.options)}\n"
            f"  seen:    {result.detail}",
            pytrace=False,
        )
    if result.outcome == "skipped":
        pytest.skip(f"{trial.entry.address}, {result.check}: {result.detail}")


def _why_not(entry: Entry) -> str:
    if entry.status != "available":
        return f"{entry.address} is {entry.status}: it {entry.reason}"
    return f"{entry.address} has no example that can be built without further files"


def trial_id(trial: Trial | Entry) -> str:
    """As it stands in test ids."""
    return trial.id if isinstance(trial, Trial) else f"{trial.address}-not_tried"


def _trials(entries: Sequence[Entry], zoo: Zoo, device: str = "cpu") -> Iterator[Trial | Entry]:
    for entry in entries:
        tried = entry.status == "available"
        found = list(trials(entry, zoo=zoo, device=device)) if tried else []
        yield from found
        if not found:
            yield entry
