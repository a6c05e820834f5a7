"""Gate, then time: rounds of all contenders interleaved, and one of each verified again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch

from plm_components.bench.blank import blank_record, shared_conditions
from plm_components.bench.entrant import Entrant, barred, enter
from plm_components.bench.finish import finished
from plm_components.bench.operation import Contender, Operation
from plm_components.bench.pinning import pinned
from plm_components.bench.record import Mode, Record
from plm_components.bench.roofline import Roofline, measure_roofline
from plm_components.bench.rotation import Rotation
from plm_components.bench.start import Started, start
from plm_components.bench.sweeps import LEAST_BLOCKS, sweep
from plm_components.bench.truth import Truths
from plm_components.bench.warm_up import MOST_S
from plm_components.bench.weather import weather
from plm_components.errors import UsageError

MODES: Mapping[str, tuple[Mode, ...]] = {"cuda": ("cold", "warm", "graph"), "cpu": ("cpu",)}


def measure(
    operation: Operation,
    contenders: Sequence[Contender],
    *,
    modes: Sequence[Mode] | None = None,
    budget_s: float = 1.0,
    min_blocks: int = LEAST_BLOCKS,
    roofline: Roofline | None = None,
    seed: int | None = None,
    on_progress: Callable[[str], None] | None = None,
) -> list[Record]:
    """Times contenders whose answers are right.

    Args:
        operation: What they compute.
        contenders: Who; none of them stops the others, whatever it does.
        modes: How; those of the device by default. Times of different modes are not comparable.
        budget_s: Seconds of rounds for each contender in each mode; warming up takes up to half of
            it again, and two seconds at most.
        min_blocks: Blocks that are run in any case, of two rounds each.
        roofline: Of the device; measured here by default.
        seed: Of the inputs; a fresh one by default.
        on_progress: Told what is being done.

    Returns:
        A record for each mode and contender, in this order. One that was refused, was wrong, or
        was faster than the device can be has no time.

    Raises:
        UsageError: the device does not have a mode.
    """
    modes = _modes(operation, modes)
    tell = on_progress or (lambda _: None)
    roofline = roofline or measure_roofline(operation.device, operation.dtype)
    truths = Truths(operation, seed)
    entrants = _entrants(truths, contenders, tell)
    records: list[Record] = []
    for mode in modes:
        tell(f"{operation.name}: {mode}")
        with torch.no_grad():
            records += Heat(truths, mode, roofline, min_blocks).run(entrants, budget_s)
    return records


def examine_all(
    operation: Operation,
    contenders: Sequence[Contender],
    *,
    modes: Sequence[Mode] | None = None,
    seed: int | None = None,
    on_progress: Callable[[str], None] | None = None,
) -> list[Record]:
    """The gate alone: the records of ``measure``, none with a time; see there."""
    modes = _modes(operation, modes)
    truths = Truths(operation, seed)
    entrants = _entrants(truths, contenders, on_progress or (lambda _: None))
    facts = {"seed": truths.seed, "torch": torch.__version__}
    return [
        blank_record(operation, entrant, mode, None, facts)
        for mode in modes
        for entrant in entrants
    ]


def _entrants(
    truths: Truths, contenders: Sequence[Contender], tell: Callable[[str], None]
) -> list[Entrant]:
    entrants = []
    for place, contender in enumerate(contenders, 1):
        at = f"({place}/{len(contenders)})"
        tell(f"{truths.operation.name}: {contender.part} at the gate {at}")
        entrants.append(enter(contender, truths))
    return entrants


def _modes(operation: Operation, asked: Sequence[Mode] | None) -> Sequence[Mode]:
    able = MODES[operation.device.type]
    unable = [mode for mode in asked or () if mode not in able]
    if not unable:
        return asked or able
    raise UsageError(
        f"Nothing is timed {unable[0]!r} on a {operation.device.type}.",
        where=f"bench.measure of {operation.name}",
        expected=f"modes among {', '.join(able)}",
        fix=f"modes={list(able)}",
    )


class Heat:
    """One mode: everybody warms up, all run, one round of each is verified."""

    def __init__(self, truths: Truths, mode: Mode, roofline: Roofline, min_blocks: int) -> None:
        self._truths = truths
        self._operation = truths.operation
        self._min_blocks = min_blocks
        self._mode = mode
        self._roofline = roofline
        self._seed = truths.seed
        self._rotation = Rotation(self._operation, truths.seed + 1, mode)

    def run(self, entrants: Sequence[Entrant], budget_s: float) -> list[Record]:
        """A record for each, in order."""
        # names need not be unique: the same part may compete twice
        named = {str(place): entrant for place, entrant in enumerate(entrants)}
        with pinned(self._operation.device) as pins:
            started, out = self._start(named, budget_s)
            sky = weather(self._operation.device)
            lanes = {name: one.lane for name, one in started.items()}
            rounds = sweep(lanes, budget_s * len(lanes), sky.look, self._min_blocks)
            facts = shared_conditions(self._rotation, self._roofline, self._seed)
            shared = {**pins, **sky.told(), **facts}
        records = []
        for name, entrant in named.items():
            who = out.get(name, entrant)
            record = blank_record(self._operation, who, self._mode, self._roofline, shared)
            if name in started:
                record = finished(
                    record,
                    self._operation,
                    started[name],
                    rounds[name],
                    contender=entrant.contender,
                    rotation=self._rotation,
                    roofline=self._roofline,
                )
            records.append(record)
        return records

    def _start(
        self, named: Mapping[str, Entrant], budget_s: float
    ) -> tuple[dict[str, Started], dict[str, Entrant]]:
        """Those that run, and those that raised while they warmed up."""
        started, out = {}, {}
        for name, entrant in named.items():
            if not entrant.may_run or entrant.function is None:
                continue
            try:
                started[name] = start(
                    self._operation,
                    entrant.function,
                    self._mode,
                    self._rotation,
                    min(MOST_S, budget_s / 2),
                )
            except Exception as error:
                out[name] = barred(entrant, error, "warming up", self._truths)
        return started, out
