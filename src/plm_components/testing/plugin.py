"""The pytest plugin: ``pytest --plm-conformance NAME`` runs the kit over parts of the zoo.

Loaded by every pytest of an environment that has this package, so nothing is imported here
before the option is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from plm_components.testing.pytest_cases import ConformanceItem
    from plm_components.zoo import Entry

# parts that this run has looked at
_CHECKED: pytest.StashKey[list[Entry]] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the options."""
    group = parser.getgroup("plm_components")
    group.addoption(
        "--plm-conformance",
        action="append",
        default=[],
        metavar="NAME",
        help="run the conformance kit over a part (projector/linear), a distribution (plm-foo), "
        "a kind, or a part file (./my_part.py); may be repeated",
    )
    group.addoption(
        "--plm-device",
        default="cpu",
        metavar="DEVICE",
        help="where the conformance kit runs what it checks: cpu (the default), cuda, …",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Without paths on the command line only the kit runs, not the tests found by default."""
    _require_device(config.getoption("--plm-device"))
    asked = config.getoption("--plm-conformance")
    if asked and config.args_source is not pytest.Config.ArgsSource.ARGS:
        config.args = []


def _require_device(name: str) -> None:
    if name == "cpu":
        return  # without importing torch
    from plm_components.errors import UsageError
    from plm_components.testing.devices import usable_device

    try:
        usable_device(name)
    except UsageError as error:
        raise pytest.UsageError(str(error)) from error


@pytest.hookimpl(tryfirst=True)  # before -k and -m choose among the items
def pytest_collection_modifyitems(
    session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Adds one item a check."""
    for name in config.getoption("--plm-conformance"):
        items.extend(_items(session, name))


def _items(session: pytest.Session, name: str) -> list[ConformanceItem]:
    from plm_components.errors import PlmError
    from plm_components.testing.selection import select
    from plm_components.zoo import default_zoo

    # a part file is added to a zoo of this run only
    zoo = default_zoo().copy()
    device = session.config.getoption("--plm-device")
    try:
        entries = select(name, zoo)
        # torch is imported once there is something to run
        from plm_components.testing.devices import meant_for
        from plm_components.testing.pytest_cases import items_of

        entries = meant_for(device, entries)
        session.config.stash.setdefault(_CHECKED, []).extend(entries)
        return items_of(session, entries, zoo, device)
    except PlmError as error:
        raise pytest.UsageError(f"--plm-conformance {name}: {error}") from error


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Says which contracts were checked."""
    entries = config.stash.get(_CHECKED, [])
    if not entries:
        return
    from plm_components.testing.validation import contracts_checked

    told = contracts_checked(entries, config.getoption("--plm-device"))
    terminalreporter.write_line(f"plm-conformance checked by contract: {told}")
