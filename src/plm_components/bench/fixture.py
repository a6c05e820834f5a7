"""The fixture ``kernel_bench`` and what it tells at the end; loaded beside pytest-benchmark."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from plm_components.errors import UsageError

if TYPE_CHECKING:
    from plm_components.bench.kernel_bench import KernelBench
    from plm_components.bench.record import Record

# of the marker ``benchmark``: what makes sense for rounds of one call each
_UNDERSTOOD = {"max_time", "min_rounds", "group", "disable_gc", "cprofile"}
# of the inputs where nothing is timed: an everyday test fails for a reason, not by chance
SMOKE_SEED = 0
# a property of a report: it travels from a worker of xdist to the terminal
GATED = ("kernel_bench", "gated, not timed")


class Timer:
    """The clock of one test; which one is known when it is known what runs."""

    __name__ = "kernel_bench"

    def __init__(self) -> None:
        self.clock: Callable[[], Any] = perf_counter

    def __call__(self) -> Any:
        """A stamp: of two only the difference is used."""
        return self.clock()


@dataclass
class Ledger:
    """What this run measured.

    Args:
        records: All of them, the wrong and the refused too.
        added: Entries of the JSON beside those that pytest-benchmark makes, a test each.
        compared: The hardware of a file that this run is compared with.
        findings: What ``compare`` found, a line each.
    """

    records: list[Record] = field(default_factory=list)
    added: list[tuple[str, Record]] = field(default_factory=list)
    compared: list[Any] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)


LEDGER: pytest.StashKey[Ledger] = pytest.StashKey()
_TIMER: pytest.StashKey[Timer] = pytest.StashKey()
_OPTIONS: pytest.StashKey[dict[str, Any]] = pytest.StashKey()


def pytest_itemcollected(item: pytest.Item) -> None:
    """Gives a test that uses the fixture a timer of its own, through pytest-benchmark's marker."""
    if "kernel_bench" not in getattr(item, "fixturenames", ()):
        return
    marker = item.get_closest_marker("benchmark")
    given = dict(marker.kwargs) if marker else {}
    item.stash[_TIMER], item.stash[_OPTIONS] = Timer(), given
    # the marker that comes first is the one that counts
    item.add_marker(pytest.mark.benchmark(**{**given, "timer": item.stash[_TIMER]}), append=False)


@pytest.fixture
def kernel_bench(request: pytest.FixtureRequest, benchmark: Any) -> KernelBench:
    """Gates contenders against float64, then times them; see ``KernelBench``."""
    from plm_components.bench.kernel_bench import KernelBench

    config, options = request.config, request.node.stash[_OPTIONS]
    ignored = sorted(set(options) - _UNDERSTOOD)
    if ignored:
        error = UsageError(
            f"kernel_bench has its own rule for {', '.join(ignored)}.",
            where=f"marker benchmark of {request.node.nodeid}",
            expected=f"among {', '.join(sorted(_UNDERSTOOD))}",
            fix="leave it out",
        )
        raise_within(benchmark, error)
    return KernelBench(
        benchmark,
        request.node.stash[_TIMER],
        config.stash.setdefault(LEDGER, Ledger()),
        request.node,
        budget_s=float(options.get("max_time", config.getoption("benchmark_max_time"))),
        min_rounds=int(options.get("min_rounds", config.getoption("benchmark_min_rounds"))),
        has_group="group" in options,
    )


def raise_within(benchmark: Any, error: Exception) -> NoReturn:
    """Raises where pytest-benchmark sees it: it wants to be used, and to know what failed."""

    def fail() -> None:
        raise error

    benchmark.pedantic(fail)
    raise error  # pedantic has done so


def pytest_benchmark_update_machine_info(
    config: pytest.Config, machine_info: dict[str, Any]
) -> None:
    """Adds the hardware that was measured, if any was."""
    records = config.stash.setdefault(LEDGER, Ledger()).records
    if records:
        from plm_components.bench.files import KEY
        from plm_components.bench.kernel_bench import hardware_facts

        machine_info[KEY] = hardware_facts(records[-1].device)


def pytest_benchmark_update_json(config: pytest.Config, output_json: dict[str, Any]) -> None:
    """Adds the other contenders of tests that measured several, and what got no time."""
    ledger = config.stash.setdefault(LEDGER, Ledger())
    if ledger.records:
        from plm_components.bench.files import add_to

        add_to(output_json, ledger.added, ledger.records)


@pytest.hookimpl(tryfirst=True)  # before pytest-benchmark compares the two
def pytest_benchmark_compare_machine_info(
    config: pytest.Config, machine_info: dict[str, Any], compared_benchmark: dict[str, Any]
) -> None:
    """Puts off the comparison of hardware to the end, when it is known what was measured."""
    then = compared_benchmark["machine_info"].get("plm_bench")
    if then is not None and "plm_bench" not in machine_info:
        machine_info["plm_bench"] = then
        config.stash.setdefault(LEDGER, Ledger()).compared.append(then)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """A table that pytest-benchmark's has no columns for."""
    ledger = config.stash.setdefault(LEDGER, Ledger())
    reports = [one for some in terminalreporter.stats.values() for one in some]
    gated = {r.nodeid for r in reports if GATED in getattr(r, "user_properties", ())}
    if ledger.records or gated:
        terminalreporter.section("kernel_bench")
    if gated:
        told = f"{len(gated)} tests passed the gate and were not timed"
        terminalreporter.line(f"{told}: {_why_off(config)}")
        drawn = f"inputs of seed {SMOKE_SEED}, or of the test's own; a timed run draws fresh ones"
        terminalreporter.line(drawn)
    if ledger.records:
        from plm_components.bench.section import hardware_lines, section_lines

        lines = hardware_lines(ledger.records, ledger.compared), section_lines(ledger.records)
        for line in (*lines[0], *lines[1], *ledger.findings):
            terminalreporter.line(line)


def _why_off(config: pytest.Config) -> str:
    parallel = config.getoption("dist", "no") != "no" or hasattr(config, "workerinput")
    if parallel and not config.getoption("benchmark_disable"):
        return "pytest-xdist is on, and neighbours would be timed too (-p no:xdist)"
    return "--benchmark-disable"
