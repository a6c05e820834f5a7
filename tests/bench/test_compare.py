"""A/B through the engine: gate, interleaved rounds, one verdict."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from gated_kernels import contender, gated, honest, plain
from torch import Tensor

from plm_components.bench.compare import compare
from plm_components.bench.operation import Function, Operation
from plm_components.bench.roofline import Roofline
from plm_components.errors import UnsupportedError, WrongAnswerError

# nothing here is near it
ROOF = Roofline(1e18, 1e18)


def thrice(operation: Operation) -> Function:
    """Right, and three times as much work."""

    def call(x: Tensor, w: Tensor) -> Tensor:
        plain(x, w)
        plain(x, w)
        return plain(x, w)

    return call


def off(operation: Operation) -> Function:
    return lambda x, w: plain(x, w) * 1.01


def unable(operation: Operation) -> Function:
    raise UnsupportedError("unable cannot.", where="unable", expected="nothing", fix="nothing")


def test_a_contender_that_does_more_is_slower(bench_device: torch.device) -> None:
    operation = gated(256, 128, device=bench_device)
    slow, quick = contender(thrice), contender(honest)
    how: Any = {"budget": 0.1, "budget_s": 0.1, "roofline": ROOF}

    assert compare(operation, quick, slow, **how).finding == "slower"
    assert compare(operation, slow, quick, **how).finding == "faster"


def test_a_contender_beside_itself_is_neither(bench_device: torch.device) -> None:
    operation, same = gated(64, 64, device=bench_device), contender(honest)

    comparison = compare(operation, same, same, budget=0.1, budget_s=0.1, roofline=ROOF)
    assert comparison.finding in ("even", "unclear")
    assert comparison.floor >= 1


@pytest.mark.parametrize("guilty", [0, 1])
def test_what_is_wrong_is_not_compared(guilty: int) -> None:
    pair = [contender(honest), contender(honest)]
    pair[guilty] = contender(off)

    with pytest.raises(
        WrongAnswerError, match=r"^off is wrong, so it is not compared: gated"
    ) as caught:
        compare(gated(), *pair, budget_s=0.01, roofline=ROOF)
    assert str(caught.value).endswith(
        "\n  where:    bench.compare of gated\n"
        "  expected: answers within twice the plain kernel's error against float64, done in time\n"
        "  fix:      repair it first; its speed says nothing"
    )


def test_who_cannot_is_not_compared() -> None:
    with pytest.raises(UnsupportedError) as caught:
        compare(gated(), contender(honest), contender(unable), budget_s=0.01, roofline=ROOF)
    assert str(caught.value) == (
        "unable does not compete: unable cannot.\n"
        "  where:    bench.compare of gated\n"
        "  expected: two contenders that can do the operation here\n"
        "  fix:      compare others, or at another size"
    )


def test_there_are_blocks_enough_however_short_the_time() -> None:
    same = contender(honest)

    comparison = compare(gated(), same, same, budget_s=0.0, alpha=0.05, roofline=ROOF)
    # 2 * 0.5**6 is within 5 %
    assert comparison.blocks == 6
