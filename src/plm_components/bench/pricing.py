"""What a kernel is worth: its time in the whole request, and what another would save."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from plm_components.bench.record import Record
from plm_components.bench.requests import Stage
from plm_components.bench.roofline import Roofline
from plm_components.bench.spread import deviation
from plm_components.bench.use import Use
from plm_components.bench.workload import Workload

# each product has two of its size behind it
_WITH_GRADIENTS = 3


@dataclass(frozen=True)
class Priced:
    """One operation in its stage.

    Args:
        use: What the composition runs.
        records: Of everybody who competed, in one mode.
        own_s: Seconds of one call of the part that the spec names.
        is_measured: Whether that was measured; else the roofline is taken for it.
    """

    use: Use
    records: tuple[Record, ...]
    own_s: float
    is_measured: bool

    @property
    def total_s(self) -> float:
        """Seconds of all calls."""
        return self.own_s * self.use.times

    def saved_s(self, record: Record) -> float | None:
        """Seconds that a request takes less with another part; None where one got no time."""
        if not record.rounds_s or not self.is_measured:
            return None
        return (self.own_s - median(record.rounds_s)) * self.use.times

    def is_within_spread(self, record: Record) -> bool:
        """Whether a part's time is the spec's, as far as their rounds can tell."""
        own = self._own
        if own is None or not record.rounds_s:
            return False
        spread_s = max(deviation(record.rounds_s), deviation(own.rounds_s))
        return abs(self.own_s - median(record.rounds_s)) <= spread_s

    def best(self, precision: str) -> Record | None:
        """The fastest part of a precision, where it is faster than the spec's beyond their spread.

        Args:
            precision: ``exact`` or ``fast``.
        """
        timed = [one for one in self.records if one.rounds_s and one.precision == precision]
        best = min(timed, key=lambda one: median(one.rounds_s), default=None)
        saved_s = None if best is None else self.saved_s(best)
        if best is None or saved_s is None or saved_s <= 0 or self.is_within_spread(best):
            return None
        return best

    @property
    def _own(self) -> Record | None:
        """Of the part that the spec names, if it got a time."""
        return next(
            (one for one in self.records if one.part == self.use.part and one.rounds_s), None
        )


@dataclass(frozen=True)
class StagePrice:
    """One stage of a request.

    Args:
        stage: Which.
        total_s: Seconds of all of it; of ``decode`` those of one token.
        estimated_s: How many of them nobody measured: they are at the roofline, which is less than
            it takes. Wholes are taken as measured, elsewhere kernels are.
        priced: Its operations.
    """

    stage: Stage
    total_s: float
    estimated_s: float
    priced: tuple[Priced, ...]

    @property
    def is_measured(self) -> bool:
        """Whether all of it was."""
        return self.estimated_s == 0

    @property
    def kernels_s(self) -> float:
        """Seconds in kernels of slots, timed alone."""
        return sum(one.total_s for one in self.priced if one.use.is_kernel)

    def saved_share(self, one: Priced, record: Record) -> float | None:
        """What the stage takes less with another part, as a share of it; negative where more.

        Alone a kernel can take longer than the whole that holds it: it is taken for all of the
        whole then, and what another saves of the kernel is saved of the whole.

        Args:
            one: An operation of the stage.
            record: Of the other part; None comes of one without a time.
        """
        saved_s = one.saved_s(record)
        alone_s = self.kernels_s if one.use.is_kernel else one.total_s
        return None if saved_s is None else saved_s / max(self.total_s, alone_s)


@dataclass(frozen=True)
class Price:
    """A whole request.

    Args:
        stages: In order.
        backward: Whether gradients belong to it.
    """

    stages: tuple[StagePrice, ...]
    backward: bool = False

    @property
    def whole_name(self) -> str:
        """What all stages but decoding are together."""
        return "forward and backward" if self.backward else "the time to the first token"

    @property
    def whole_s(self) -> float | None:
        """Seconds of all stages but decoding; None where one is missing."""
        before = [stage for stage in self.stages if stage.stage != "decode"]
        whole = {stage.stage for stage in before} == {"encode", "project", "prefill"}
        return sum(stage.total_s for stage in before) if whole else None

    def of(self, use: Use) -> tuple[Priced, StagePrice]:
        """One of its operations, and the stage that it belongs to."""
        return next((one, stage) for stage in self.stages for one in stage.priced if one.use is use)

    def share(self, stage: StagePrice) -> float | None:
        """Of all stages but decoding; None for decoding, or where one is missing."""
        whole = self.whole_s
        return None if whole is None or stage.stage == "decode" else stage.total_s / whole


def price(
    work: Workload,
    records: Sequence[Sequence[Record]],
    roofline: Roofline,
    measured: Mapping[Stage, float] | None = None,
) -> Price:
    """Prices a workload by what was measured of it.

    Args:
        work: What a request runs.
        records: Of each use, in order and in one mode; empty where it was not benched.
        roofline: Of the device, for what was not measured.
        measured: Seconds of whole stages, where they were measured.
    """
    priced = [_priced(use, found, roofline) for use, found in zip(work.uses, records, strict=True)]
    return Price(tuple(_stages(work, priced, roofline, measured or {})), work.backward)


def _stages(
    work: Workload,
    priced: Iterable[Priced],
    roofline: Roofline,
    measured: Mapping[Stage, float],
) -> Iterator[StagePrice]:
    everything = list(priced)
    for stage in work.rest:
        own = tuple(one for one in everything if one.use.stage == stage)
        if stage in measured:
            yield StagePrice(stage, measured[stage], 0.0, own)
        else:
            yield _composed(work, stage, own, roofline)


def _composed(
    work: Workload, stage: Stage, own: tuple[Priced, ...], roofline: Roofline
) -> StagePrice:
    """A stage out of its parts: measured wholes, kernels outside of these, and the rest."""
    wholes = [one for one in own if _is_whole(one, work)]
    paths = [f"{one.use.path}." for one in wholes]
    kernels = [
        one
        for one in own
        if one.use.is_kernel and not any(one.use.path.startswith(path) for path in paths)
    ]
    rest = work.rest[stage]
    for one in wholes:
        rest = rest.without(work.inside[stage, one.use.path])
    rest_s = rest.least_s(roofline.flops_per_s, roofline.bytes_per_s)
    rest_s *= _WITH_GRADIENTS if work.backward else 1
    estimated_s = rest_s + sum(one.total_s for one in kernels if not one.is_measured)
    known_s = sum(one.total_s for one in (*wholes, *kernels) if one.is_measured)
    return StagePrice(stage, known_s + estimated_s, estimated_s, own)


def _is_whole(one: Priced, work: Workload) -> bool:
    """Whether its time is that of all it holds; a layer's gradients lack those of its weights."""
    if one.use.is_kernel or not one.is_measured:
        return False
    return one.use.operation.kind == "projector" or not work.backward


def _priced(use: Use, records: Sequence[Record], roofline: Roofline) -> Priced:
    own = next((one for one in records if one.part == use.part and one.rounds_s), None)
    if own is None:
        return Priced(use, tuple(records), roofline.least_s(use.operation.work), False)
    return Priced(use, tuple(records), median(own.rounds_s), True)
