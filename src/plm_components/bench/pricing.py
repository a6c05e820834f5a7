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

    def best(self, precision: str) -> Record | None:
        """The fastest part of a precision, where it is faster than the spec's beyond their spread.

        Args:
            precision: ``exact`` or ``fast``.
        """
        timed = [one for one in self.records if one.rounds_s and one.precision == precision]
        best = min(timed, key=lambda one: median(one.rounds_s), default=None)
        own = next((one for one in self.records if one.part == self.use.part), None)
        if best is None or own is None or not self.is_measured:
            return None
        spread_s = max(deviation(best.rounds_s), deviation(own.rounds_s))
        return best if self.own_s - median(best.rounds_s) > spread_s else None


@dataclass(frozen=True)
class StagePrice:
    """One stage of a request.

    Args:
        stage: Which.
        total_s: Seconds of all of it; of ``decode`` those of one token.
        is_measured: Whether the whole was measured. Else it is an estimate: kernels as measured,
            everything else at the roofline, which is less than it takes.
        priced: Its operations.
    """

    stage: Stage
    total_s: float
    is_measured: bool
    priced: tuple[Priced, ...]

    @property
    def kernels_s(self) -> float:
        """Seconds in kernels of slots."""
        return sum(one.total_s for one in self.priced if one.use.is_kernel)


@dataclass(frozen=True)
class Price:
    """A whole request.

    Args:
        stages: In order.
    """

    stages: tuple[StagePrice, ...]

    @property
    def first_token_s(self) -> float | None:
        """Seconds until the first token: all stages but decoding; None where one is missing."""
        before = [stage for stage in self.stages if stage.stage != "decode"]
        whole = {stage.stage for stage in before} == {"encode", "project", "prefill"}
        return sum(stage.total_s for stage in before) if whole else None

    def of(self, use: Use) -> tuple[Priced, StagePrice]:
        """One of its operations, and the stage that it belongs to."""
        return next((one, stage) for stage in self.stages for one in stage.priced if one.use is use)

    def share(self, stage: StagePrice) -> float | None:
        """Of the time to the first token; None for decoding, or where that is not known."""
        whole = self.first_token_s
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
    return Price(tuple(_stages(work, priced, roofline, measured or {})))


def sentences(price: Price) -> Iterator[str]:
    """The price in words: shares of stages, and what the fastest parts would save."""
    if not all(stage.is_measured for stage in price.stages):
        yield (
            "Estimates: kernels as measured, everything else at the roofline, which is less than "
            "it takes; measure the whole to know."
        )
    for stage in price.stages:
        yield _share_told(price, stage)
        for one in stage.priced:
            yield from _savings_told(price, stage, one)


def _stages(
    work: Workload,
    priced: Iterable[Priced],
    roofline: Roofline,
    measured: Mapping[Stage, float],
) -> Iterator[StagePrice]:
    everything = list(priced)
    for stage, costs in work.rest.items():
        own = tuple(one for one in everything if one.use.stage == stage)
        total_s = measured.get(stage)
        if total_s is None:
            kernels_s = sum(one.total_s for one in own if one.use.is_kernel)
            rest_s = costs.least_s(roofline.flops_per_s, roofline.bytes_per_s)
            yield StagePrice(stage, kernels_s + rest_s, False, own)
        else:
            yield StagePrice(stage, total_s, True, own)


def _priced(use: Use, records: Sequence[Record], roofline: Roofline) -> Priced:
    own = next((one for one in records if one.part == use.part and one.rounds_s), None)
    if own is None:
        return Priced(use, tuple(records), roofline.least_s(use.operation.work), False)
    return Priced(use, tuple(records), median(own.rounds_s), True)


def _share_told(price: Price, stage: StagePrice) -> str:
    how = "measured" if stage.is_measured else "an estimate"
    share = price.share(stage)
    of = "a token" if stage.stage == "decode" else "in all"
    text = f"{stage.stage}: {seconds(stage.total_s)} {of} ({how})"
    if share is not None:
        text += f", {100 * share:.1f} % of the time to the first token"
    kernels = [one for one in stage.priced if one.use.is_kernel]
    if kernels:
        parts = ", ".join(
            f"{one.use.part} {one.use.times} x {seconds(one.own_s)}" for one in kernels
        )
        text += f"; {100 * stage.kernels_s / stage.total_s:.1f} % of it in {parts}"
    return text


def _savings_told(price: Price, stage: StagePrice, one: Priced) -> Iterator[str]:
    if one.records and not one.is_measured:
        yield f"  {one.use.part} got no time, so {one.use.operation.name} is taken at the roofline"
        return
    exact, fast = one.best("exact"), one.best("fast")
    if exact is not None:
        yield f"  {exact.part} in {one.use.path} saves {_saved(price, stage, one, exact)}"
    if fast is not None:
        saved = _saved(price, stage, one, fast)
        yield f"  {fast.part} in {one.use.path}, less precise (fast), saves {saved}"


def _saved(price: Price, stage: StagePrice, one: Priced, record: Record) -> str:
    saved_s, whole = one.saved_s(record) or 0.0, price.first_token_s
    text = f"{100 * saved_s / stage.total_s:.1f} % of it"
    if whole is None or stage.stage == "decode":
        return text
    return f"{text}, {100 * saved_s / whole:.1f} % of the time to the first token"


def seconds(value: float) -> str:
    """Three digits and a unit: ``1.25 ms``."""
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if value >= scale:
            return f"{value / scale:.3g} {unit}"
    return f"{value / 1e-9:.3g} ns"
