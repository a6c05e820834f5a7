"""A price in words: shares of stages, and what other parts would save or cost."""

from __future__ import annotations

from collections.abc import Iterator

from plm_components.bench.pricing import Price, Priced, StagePrice
from plm_components.bench.record import Record


def sentences(price: Price) -> Iterator[str]:
    """Shares of stages, and what the fastest parts would save."""
    if not all(stage.is_measured for stage in price.stages):
        twice = ", its backward as twice the forward" if price.backward else ""
        yield (
            f"Estimates: kernels as measured, everything else at the roofline{twice}, which is "
            "less than it takes; measure the whole to know."
        )
    for stage in price.stages:
        yield _share_told(price, stage)
        for one in stage.priced:
            yield from _savings_told(price, stage, one)


def worth(stage: StagePrice, one: Priced, record: Record) -> str:
    """What another part is worth in its stage; nothing where it is the spec's, or got no time.

    Args:
        stage: Where the operation belongs.
        one: The operation, with the spec's own time.
        record: Of the part, in the same mode.
    """
    share = stage.saved_share(one, record)
    if share is None or record.part == one.use.part:
        return ""
    if one.is_within_spread(record):
        return "within the spread"
    if share < -1:
        return f"makes {stage.stage} {1 - share:.2f}x as long"
    verb, sign = ("saves", "") if share > 0 else ("costs", "+")
    return f"{verb} {sign}{100 * abs(share):.1f} % of {stage.stage}"


def _share_told(price: Price, stage: StagePrice) -> str:
    share = price.share(stage)
    of = "a token" if stage.stage == "decode" else "in all"
    text = f"{stage.stage}: {seconds(stage.total_s)} {of} ({_how(stage)})"
    if share is not None:
        text += f", {100 * share:.1f} % of {price.whole_name}"
    kernels = [one for one in stage.priced if one.use.is_kernel]
    if not kernels:
        return text
    parts = ", ".join(_calls_told(one) for one in kernels)
    if stage.kernels_s > stage.total_s:
        return f"{text}; up to all of it in {parts}, timed alone"
    return f"{text}; {100 * stage.kernels_s / stage.total_s:.1f} % of it in {parts}"


def _how(stage: StagePrice) -> str:
    if stage.is_measured:
        return "measured"
    known_s = stage.total_s - stage.estimated_s
    if known_s > 0 and any(one.is_measured and not one.use.is_kernel for one in stage.priced):
        return f"{seconds(known_s)} of it measured, the rest an estimate"
    return "an estimate"


def _calls_told(one: Priced) -> str:
    how = "" if one.is_measured else " (at the roofline)"
    return f"{one.use.part} {one.use.times} x {seconds(one.own_s)}{how}"


def _savings_told(price: Price, stage: StagePrice, one: Priced) -> Iterator[str]:
    if one.records and not one.is_measured:
        name = one.use.operation.name
        instead = "is taken at the roofline" if one.use.is_kernel else "is priced by what it holds"
        yield f"  {one.use.part} got no time, so {name} {instead}"
        return
    exact, fast = one.best("exact"), one.best("fast")
    if exact is not None:
        yield f"  {exact.part} in {one.use.path} saves {_saved(price, stage, one, exact)}"
    if fast is not None:
        saved = _saved(price, stage, one, fast)
        yield f"  {fast.part} in {one.use.path}, less precise (fast), saves {saved}"


def _saved(price: Price, stage: StagePrice, one: Priced, record: Record) -> str:
    share, of_whole = stage.saved_share(one, record) or 0.0, price.share(stage)
    text = f"{100 * share:.1f} % of it"
    if of_whole is None:
        return text
    return f"{text}, {100 * share * of_whole:.1f} % of {price.whole_name}"


def seconds(value: float) -> str:
    """Three digits and a unit: ``1.25 ms``."""
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if value >= scale:
            return f"{value / scale:.3g} {unit}"
    return f"{value / 1e-9:.3g} ns"
