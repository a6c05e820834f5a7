"""An answer beside the truth: what is wrong with it, and how far off it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from plm_components.bench.operation import Contender
from plm_components.bench.truth import Truth
from plm_components.testing.oracles import Errors, budget_fault, errors, fast_fault


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
    answer: Sequence[Tensor], truth: Truth, names: Sequence[str], contender: Contender
) -> Judgement:
    """Compares every output and gradient with float64.

    Args:
        answer: Outputs, then gradients.
        truth: Of the same inputs.
        names: What to call each of them.
        contender: Whose precisions count: ``exact`` within twice the plain kernel's own error;
            ``fast`` within that or by correlation and size, and on large inputs finite.
    """
    worst = (0.0, 0.0, 0.0)
    if len(answer) != len(truth.exact):
        told = f"{len(answer)} tensors (outputs, then gradients), not {len(truth.exact)}"
        return Judgement(worst, told)
    rows = zip(answer, truth.exact, truth.plain, names, strict=True)
    for place, (got, exact, plain, name) in enumerate(rows):
        fault = _form_fault(got, plain) or _error_fault(got, truth, place, contender)
        if fault:
            return Judgement(worst, f"{name}: {fault}")
        found = _multiples(errors(got, exact), errors(plain, exact), _unit(plain, exact))
        worst = (
            max(worst[0], found[0]),
            max(worst[1], found[1]),
            max(worst[2], found[2]),
        )
    return Judgement(worst)


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


def _error_fault(got: Tensor, truth: Truth, place: int, contender: Contender) -> str | None:
    is_output = place < truth.num_outputs
    precision = contender.precision if is_output else contender.gradient_precision
    # scores in the hundreds, rounded: a fast one may choose another key altogether
    if precision == "fast" and truth.is_extreme:
        return None
    rounding = truth.rounding if is_output else 0.0
    fault = budget_fault(got, truth.exact[place], truth.plain[place], rounding=rounding)
    # what is within the plain kernel's budget is right, whatever was declared
    return fault if precision == "exact" or fault is None else fast_fault(got, truth.exact[place])


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
