"""An answer beside the truth: what is wrong with it, and how far off it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from plm_components.bench.truth import Truth
from plm_components.testing.oracles import Errors, budget_fault, errors

# what is beyond the budget but listed as fast must at least go the same way
FAST_CORRELATION = 0.999


@dataclass(frozen=True)
class Judgement:
    """What one answer is worth.

    Args:
        multiples: Largest error, RMS error and decorrelation, each as a multiple of the plain
            kernel's own; the worst of all outputs and gradients.
        fault: What is wrong, None where nothing is.
    """

    multiples: tuple[float, float, float]
    fault: str | None = None


def judgement(
    answer: Sequence[Tensor], truth: Truth, names: Sequence[str], precision: str
) -> Judgement:
    """Compares every output and gradient with float64.

    Args:
        answer: Outputs, then gradients.
        truth: Of the same inputs.
        names: What to call each of them.
        precision: ``exact`` within twice the plain kernel's own error; ``fast`` by correlation,
            and on large inputs finite.
    """
    worst = (0.0, 0.0, 0.0)
    if len(answer) != len(truth.exact):
        told = f"{len(answer)} tensors (outputs, then gradients), not {len(truth.exact)}"
        return Judgement(worst, told)
    rows = zip(answer, truth.exact, truth.plain, truth.roundings, names, strict=True)
    for place, (got, exact, plain, rounding, name) in enumerate(rows):
        fault = _form_fault(got, plain)
        if fault is None and not _is_held(place, truth, precision):
            continue
        fault = fault or _error_fault(got, exact, plain, rounding, precision)
        if fault:
            return Judgement(worst, f"{name}: {fault}")
        found = _multiples(errors(got, exact), errors(plain, exact), _unit(plain, exact))
        worst = (
            max(worst[0], found[0]),
            max(worst[1], found[1]),
            max(worst[2], found[2]),
        )
    return Judgement(worst)


def _is_held(place: int, truth: Truth, precision: str) -> bool:
    """Whether a tensor is compared; it has its form and is finite in any case."""
    if precision == "fast" and truth.is_extreme:
        return False
    return place < truth.num_outputs or truth.are_gradients_held


def _form_fault(got: Tensor, plain: Tensor) -> str | None:
    if got.shape != plain.shape:
        return f"shape {tuple(got.shape)}, not {tuple(plain.shape)}"
    if got.dtype != plain.dtype:
        return f"in {got.dtype}, not {plain.dtype}"
    if got.device != plain.device:
        return f"on {got.device}, not on {plain.device}"
    if not bool(torch.isfinite(got).all()):
        return "a value is not finite; memory never written keeps the NaN it was filled with"
    return None


def _error_fault(
    got: Tensor, exact: Tensor, plain: Tensor, rounding: float, precision: str
) -> str | None:
    if precision != "fast":
        return budget_fault(got, exact, plain, rounding=rounding)
    correlation = errors(got, exact).correlation
    if correlation >= FAST_CORRELATION:
        return None
    return f"correlation {correlation:.6f} with float64, a fast one needs {FAST_CORRELATION}"


def _multiples(got: Errors, own: Errors, unit: float) -> tuple[float, float, float]:
    return (
        _multiple(got.largest, own.largest, unit),
        _multiple(got.rms, own.rms, unit),
        _multiple(1 - got.correlation, 1 - own.correlation, 1e-12),
    )


def _multiple(got: float, own: float, unit: float) -> float:
    """Of one unit in the last place where the plain kernel is exact by luck."""
    return max(0.0, got) / (own if own > 0 else unit)


def _unit(plain: Tensor, exact: Tensor) -> float:
    return torch.finfo(plain.dtype).eps * max(float(exact.abs().max()), 1e-30)
