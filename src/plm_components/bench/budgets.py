"""How much slower a candidate may be: ``3%``, ``2.5%``, or the fraction."""

from __future__ import annotations

from plm_components.errors import UsageError


def read_budget(text: str | float) -> float:
    """A budget as a fraction.

    Raises:
        UsageError: neither a percentage nor a fraction, or a negative one.
    """
    try:
        budget = float(text[:-1]) / 100 if isinstance(text, str) else float(text)
        sound = 0 <= budget < 1 and (not isinstance(text, str) or text.endswith("%"))
    except (TypeError, ValueError):
        sound = False
    if not sound:
        raise UsageError(
            f"{text!r} is no budget.",
            where="bench.read_budget",
            expected="a percentage like '3%' or '2.5%', or a fraction like 0.03, less than 1",
            fix="write '3%'",
        )
    return budget
