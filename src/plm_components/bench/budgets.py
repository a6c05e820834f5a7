"""How much slower a candidate may be: ``3%``, ``2.5%``, or the fraction."""

from __future__ import annotations

from plm_components.errors import UsageError


def read_budget(budget: str | float) -> float:
    """A budget as a fraction.

    Raises:
        UsageError: neither a percentage nor a fraction, or a negative one.
    """
    try:
        share = _percent(budget) if isinstance(budget, str) else float(budget)
        sound = 0 <= share < 1
    except (TypeError, ValueError):
        sound = False
    if not sound:
        raise UsageError(
            f"{budget!r} is no budget.",
            where="bench.read_budget",
            expected="a percentage like '3%' or '2.5%', or the number 0.03 (no text), less than 1",
            fix="write '3%'",
        )
    return share


def _percent(text: str) -> float:
    if not text.endswith("%"):
        raise ValueError(text)
    return float(text[:-1]) / 100
