"""No wrong answer gets a time: every call is checked against float64 on the timed inputs."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from plm_components.testing.oracles import budget_fault, errors


def gate(
    part: str, result: Tensor, exact: Tensor, plain: Tensor, *, rounding: float = 0.0
) -> float:
    """Fails the benchmark where the answer is wrong; else how far off it is.

    Args:
        part: For the message.
        result: Of the part, on the inputs that will be timed.
        exact: Of the oracle, in float64.
        plain: Of the plain kernel, in the dtype under test.
        rounding: Relative error that is allowed besides.

    Returns:
        The largest error as a multiple of the plain kernel's.
    """
    fault = budget_fault(result, exact, plain, rounding=rounding)
    if fault is not None:
        pytest.fail(f"{part} is wrong, so it gets no time: {fault}", pytrace=False)
    own = errors(plain, exact).largest
    return errors(result, exact).largest / max(own, torch.finfo(result.dtype).tiny)
