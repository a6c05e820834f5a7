"""Numbers as a reader wants them: three digits and a unit."""

from __future__ import annotations

_TIMES = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))
_RATES = ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""))


def seconds(value: float) -> str:
    """``1.23 ms``."""
    scale, unit = time_unit(value)
    return f"{digits(value / scale)} {unit}"


def time_unit(value: float) -> tuple[float, str]:
    """The unit in which a time has one to three digits before the point, and its seconds."""
    return next(((scale, unit) for scale, unit in _TIMES if value >= scale), _TIMES[-1])


def rate(value: float, unit: str) -> str:
    """``1.23 TFLOP/s``."""
    scale, prefix = next((row for row in _RATES if value >= row[0]), _RATES[-1])
    return f"{digits(value / scale)} {prefix}{unit}"


def times(value: float) -> str:
    """``4.10×``."""
    if not 0.1 <= value < 100:
        return f"{digits(value)}×"
    return f"{value:.2f}×" if value < 10 else f"{value:.1f}×"


def share(value: float) -> str:
    """``62 %``."""
    return f"{100 * value:.2g} %" if value < 0.1 else f"{100 * value:.0f} %"


def digits(value: float) -> str:
    """Three of them."""
    if value == 0 or not 0.001 <= abs(value) < 100_000:
        return f"{value:.3g}"
    before = len(str(int(abs(value)))) if abs(value) >= 1 else 0
    return f"{value:.{max(0, 3 - before)}f}"
