"""Gate, time, verify again, within one test."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from math import ceil
from typing import Any

import pytest
import torch

from plm_components.bench.blank import blank_record, shared_conditions
from plm_components.bench.budgets import read_budget
from plm_components.bench.compare import comparison_of, require_runners, trio
from plm_components.bench.comparison import ALPHA, BUDGET, Comparison
from plm_components.bench.entrant import Entrant, barred, enter
from plm_components.bench.files import KEY, label
from plm_components.bench.finish import finished
from plm_components.bench.fixture import GATED, SMOKE_SEED, Ledger, Timer, raise_within
from plm_components.bench.hardware import hardware
from plm_components.bench.interval import least_blocks
from plm_components.bench.measure import MODES, examine_all, measure
from plm_components.bench.operation import Contender, Operation
from plm_components.bench.pinning import pinned
from plm_components.bench.plain_data import record_to_plain
from plm_components.bench.record import Mode, Record
from plm_components.bench.roofline import measure_roofline
from plm_components.bench.rotation import Rotation
from plm_components.bench.start import Started, start
from plm_components.bench.sweeps import LEAST_BLOCKS, Rounds
from plm_components.bench.truth import Truths
from plm_components.bench.warm_up import MOST_S
from plm_components.bench.weather import weather
from plm_components.errors import UsageError, WrongAnswerError

_MOST_ROUNDS = 1000


class KernelBench:
    """What the fixture ``kernel_bench`` is; one use a test, as with ``benchmark``.

    Args:
        benchmark: pytest-benchmark's fixture.
        timer: That it reads.
        ledger: Of the whole run.
        node: The test.
        budget_s: Seconds of rounds for a contender, pytest-benchmark's ``max_time``.
        min_rounds: pytest-benchmark's, of ``run``.
        has_group: Whether the test named its group itself.
    """

    def __init__(
        self,
        benchmark: Any,
        timer: Timer,
        ledger: Ledger,
        node: pytest.Item,
        *,
        budget_s: float,
        min_rounds: int,
        has_group: bool,
    ) -> None:
        self._benchmark = benchmark
        self._timer = timer
        self._ledger = ledger
        self._node = node
        self._budget_s = budget_s
        self._min_rounds = min_rounds
        self._has_group = has_group
        self._is_used = False

    @property
    def disabled(self) -> bool:
        """Whether contenders are examined only."""
        return bool(self._benchmark.disabled)

    def __call__(
        self,
        operation: Operation,
        contenders: Sequence[Contender],
        *,
        modes: Sequence[Mode] | None = None,
        budget_s: float | None = None,
        seed: int | None = None,
    ) -> list[Record]:
        """Measures contenders side by side, their rounds interleaved.

        pytest-benchmark knows one time a test: that of the operation's oracle, or of the first
        contender that has one. The others enter its JSON beside it.

        Args:
            operation: What they compute.
            contenders: Who.
            modes: How; those of the device by default.
            budget_s: Seconds of rounds for each in each mode.
            seed: Of the inputs; by default a fresh one, and a fixed one where timing is off.

        Returns:
            As ``measure``; without times where timing is off.

        Raises:
            WrongAnswerError: one was wrong; the others are recorded.
        """
        return self._side_by_side(
            operation,
            contenders,
            modes=modes,
            budget_s=budget_s,
            seed=seed,
            min_blocks=LEAST_BLOCKS,
        )

    def _side_by_side(
        self,
        operation: Operation,
        contenders: Sequence[Contender],
        *,
        modes: Sequence[Mode] | None,
        budget_s: float | None,
        seed: int | None,
        min_blocks: int,
    ) -> list[Record]:
        self._use()
        if self.disabled:
            seed = SMOKE_SEED if seed is None else seed
            return self._judged(examine_all(operation, contenders, modes=modes, seed=seed))
        records = measure(
            operation,
            contenders,
            modes=modes,
            budget_s=self._budget_s if budget_s is None else budget_s,
            min_blocks=min_blocks,
            seed=seed,
        )
        self._ledger.records += records
        timed = [record for record in records if record.rounds_s]
        if timed:
            shown = next((one for one in timed if one.part == one.oracle), timed[0])
            others = [record for record in timed if record is not shown]
            self._ledger.added += [(self._node.nodeid, record) for record in others]
            self._replay(shown)
        return self._judged(records)

    def run(
        self,
        operation: Operation,
        contender: Contender,
        *,
        mode: Mode | None = None,
        seed: int | None = None,
    ) -> Record:
        """Examines one contender, times it through ``benchmark.pedantic``, verifies a round again.

        Args:
            operation: What it computes.
            contender: Who.
            mode: How; the first of the device's modes by default.
            seed: Of the inputs; by default a fresh one, and a fixed one where timing is off.

        Raises:
            WrongAnswerError: it was wrong, before or while it was timed.
        """
        mode = mode or MODES[operation.device.type][0]
        if self.disabled:
            return self(operation, [contender], modes=[mode], seed=seed)[0]
        self._use()
        truths = Truths(operation, seed)
        entrant = enter(contender, truths)
        record = self._record(truths, entrant, mode)
        self._ledger.records.append(record)
        self._note(record)
        return self._judged([record])[0]

    def compare(
        self,
        operation: Operation,
        baseline: Contender,
        candidate: Contender,
        *,
        budget: str | float | None = None,
        alpha: float = ALPHA,
        mode: Mode | None = None,
        budget_s: float | None = None,
        seed: int | None = None,
    ) -> Comparison | None:
        """Fails the test where the candidate is slower than the baseline by more than the budget.

        Args:
            operation: What both compute.
            baseline: Whom the candidate is compared with.
            candidate: Who is judged.
            budget: ``"3%"``; that of the marker ``plm_budget`` by default, else 3 %.
            alpha: How often a candidate that is the baseline may be called slower or faster.
            mode: How; the first of the device's modes by default.
            budget_s: Seconds of rounds for each of the three.
            seed: Of the inputs; by default a fresh one, and a fixed one where timing is off.

        Returns:
            What was found; None where timing is off, and both were held to float64 only.

        Raises:
            WrongAnswerError: one of them was wrong.
            UnsupportedError: one of them cannot do the operation, or cannot run here.
            UsageError: the budget is none.
        """
        allowed = read_budget(self._marked_budget() if budget is None else budget)
        modes = [mode or MODES[operation.device.type][0]]
        contenders = trio(baseline, candidate)
        records = self._side_by_side(
            operation,
            contenders,
            modes=modes,
            budget_s=budget_s,
            seed=seed,
            min_blocks=least_blocks(alpha),
        )
        require_runners(records)
        if self.disabled:
            return None
        comparison = comparison_of(records, budget=allowed, alpha=alpha)
        told = f"{candidate.part} against {baseline.part}: {comparison}"
        self._ledger.findings += ["", label(records[0]), f"  {told}"]
        self._benchmark.extra_info["plm_comparison"] = comparison.to_dict()
        if comparison.finding == "slower":
            pytest.fail(told, pytrace=False)
        return comparison

    def _use(self) -> None:
        if self._is_used:
            raise UsageError(
                "kernel_bench was used before in this test.",
                where=self._node.nodeid,
                expected="one use a test, as with benchmark: a test has one time",
                fix="pass all contenders at once, or write a test for each",
            )
        self._is_used = True

    def _marked_budget(self) -> str | float:
        marker = self._node.get_closest_marker("plm_budget")
        if marker is None:
            return BUDGET
        given: str | float = (*marker.args, *marker.kwargs.values(), "")[0]
        return given

    def _record(self, truths: Truths, entrant: Entrant, mode: Mode) -> Record:
        operation = truths.operation
        if not entrant.may_run or entrant.function is None:
            return blank_record(operation, entrant, mode, None, {"seed": truths.seed})
        roofline = measure_roofline(operation.device, operation.dtype)
        rotation = Rotation(operation, truths.seed + 1, mode)
        facts = shared_conditions(rotation, roofline, truths.seed)
        with torch.no_grad(), pinned(operation.device) as pins:
            sky = weather(operation.device)
            most_s = min(MOST_S, self._budget_s / 2)
            try:
                started = start(operation, entrant.function, mode, rotation, most_s)
            except Exception as error:
                out = barred(entrant, error, "warming up", truths)
                return blank_record(operation, out, mode, roofline, {**pins, **facts})
            blank = blank_record(operation, entrant, mode, roofline, {**pins, **facts})
            self._name_group(blank)
            sky.look()
            rounds = self._pedantic(started)
            sky.look()
            blank = replace(blank, conditions={**blank.conditions, **sky.told()})
            record = finished(
                blank,
                operation,
                started,
                rounds,
                contender=entrant.contender,
                rotation=rotation,
                roofline=roofline,
            )
        if not record.rounds_s:
            self._take_back()
        return record

    def _pedantic(self, started: Started) -> Rounds:
        """As many rounds as fit the budget; what is set up and put away is outside of each."""
        lane = started.lane
        self._timer.clock = lane.clock
        lane.begin()
        fitting = ceil(self._budget_s / started.warm_up.turn_s)
        rounds = Rounds()
        try:
            self._benchmark.pedantic(
                lambda ready: ready(),
                setup=lambda: ((lane.set_up(),), {}),
                teardown=lane.clear,
                rounds=max(self._min_rounds, min(fitting, _MOST_ROUNDS)),
            )
        except Exception as error:
            rounds.failure = error
        rounds.seconds = list(self._benchmark.stats.stats.data)
        return rounds

    def _replay(self, record: Record) -> None:
        """Tells pytest-benchmark what was measured already."""
        self._name_group(record)
        self._note(record)
        stamps = _stamps(record.rounds_s)
        self._timer.clock = lambda: next(stamps)
        self._benchmark.pedantic(lambda: None, rounds=len(record.rounds_s))

    def _take_back(self) -> None:
        """No wrong answer gets a time: neither in the table nor in the file."""
        self._benchmark.has_error = True
        self._benchmark.stats.stats.data.clear()

    def _name_group(self, record: Record) -> None:
        """Before anything is timed: pytest-benchmark copies it then."""
        if not self._has_group:
            self._benchmark.group = label(record)

    def _note(self, record: Record) -> None:
        self._benchmark.extra_info[KEY] = record_to_plain(record)

    def _judged(self, records: list[Record]) -> list[Record]:
        """Fails or skips the test, where there is a reason."""
        wrong = [record for record in records if record.verdict and record.verdict.fault]
        if wrong and self._benchmark.stats is None:
            raise_within(self._benchmark, _wrong(wrong))
        if wrong:
            raise _wrong(wrong)
        refused = [f"{record.part}: {record.refused}" for record in records if record.refused]
        if len(refused) == len(records):
            pytest.skip("; ".join(refused) or "no contenders")
        if self.disabled:
            self._benchmark.pedantic(lambda: None)
            self._node.user_properties.append(GATED)
        return records


def hardware_facts(device: str) -> dict[str, Any]:
    """Plain data of the hardware, for ``machine_info``."""
    return asdict(hardware(device))


def _wrong(records: Sequence[Record]) -> WrongAnswerError:
    told = [f"{one.part}: {one.verdict.fault}" for one in records if one.verdict is not None]
    return WrongAnswerError(
        f"Wrong, so without a time: {'; '.join(dict.fromkeys(told))}",
        where=label(records[0]),
        expected="answers within twice the plain kernel's error against float64, done in time",
        fix="bench.gate.examine(operation, contender, seed=...) with the seed above shows it again",
    )


def _stamps(rounds_s: Sequence[float]) -> Iterator[float]:
    """Pairs of stamps that are as far apart as the rounds were long."""
    for seconds in rounds_s:
        yield 0.0
        yield seconds
