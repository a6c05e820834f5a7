"""An answer beside the truth: multiples of the plain kernel's error, and what is not compared."""

from __future__ import annotations

import re
from dataclasses import replace

import gated_kernels as kernels
import pytest
import torch

from plm_components.bench.judgement import judgement
from plm_components.bench.operation import Contender
from plm_components.bench.truth import Truth


@pytest.fixture
def truth() -> Truth:
    generator = torch.Generator().manual_seed(0)
    exact = torch.randn(2, 500, generator=generator, dtype=torch.float64)
    return Truth(
        exact=(exact[0], exact[1]),
        plain=(exact[0].bfloat16(), exact[1].bfloat16()),
        rounding=0.0,
        num_outputs=1,
        is_extreme=False,
    )


EXACT = Contender("exact", "tests", "0", lambda operation: torch.relu)
FAST = replace(EXACT, precision="fast")
NAMES = ["output", "gradient of input 0"]


def test_errors_are_multiples_of_the_plain_kernels(truth: Truth) -> None:
    # every value 1.3 times as far off as the plain kernel's; correlation is lost with the square
    off = [e + 1.3 * (p.double() - e) for e, p in zip(truth.exact, truth.plain, strict=True)]
    wide = replace(truth, plain=tuple(plain.double() for plain in truth.plain))
    found = judgement(off, wide, NAMES, EXACT)

    assert found.fault is None
    assert found.multiples == pytest.approx((1.3, 1.3, 1.69), rel=0.01)


def test_the_worst_tensor_is_told(truth: Truth) -> None:
    answer = (truth.plain[0], truth.plain[1] + 1)
    found = judgement(answer, truth, NAMES, EXACT)

    assert found.fault is not None
    assert found.fault.startswith("gradient of input 0: largest error")


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda x: x[:-1], r"shape \(499,\), not \(500,\)"),
        (lambda x: x.float(), "in torch.float32, not torch.bfloat16"),
        (lambda x: x / 0, "a value is not finite"),
    ],
)
def test_form_comes_first(truth: Truth, spoil, told: str) -> None:
    found = judgement((spoil(truth.plain[0]), truth.plain[1]), truth, NAMES, FAST)

    assert found.fault is not None
    assert re.search(told, found.fault)


def test_a_missing_output_is_told(truth: Truth) -> None:
    found = judgement(truth.plain[:1], truth, NAMES, EXACT)

    assert found.fault == "1 tensors (outputs, then gradients), not 2"


def test_a_fast_one_must_be_finite_where_inputs_are_large(truth: Truth) -> None:
    large = replace(truth, is_extreme=True)
    wrong = (-truth.plain[0], truth.plain[1])

    assert judgement(wrong, truth, NAMES, FAST).fault is not None
    assert judgement(wrong, large, NAMES, FAST).fault is None
    assert judgement(wrong, large, NAMES, EXACT).fault is not None


def test_outputs_and_gradients_have_precisions_of_their_own(truth: Truth) -> None:
    near = tuple(plain * 1.03 for plain in truth.plain)
    gradients = replace(EXACT, gradient_precision="fast")

    assert judgement((truth.plain[0], near[1]), truth, NAMES, gradients).fault is None
    assert judgement((near[0], truth.plain[1]), truth, NAMES, gradients).fault is not None
    assert judgement((near[0], truth.plain[1]), truth, NAMES, FAST).fault is None
    assert judgement((truth.plain[0], near[1]), truth, NAMES, FAST).fault is not None


def test_rounding_is_allowed_to_outputs_alone(truth: Truth) -> None:
    allowed = replace(truth, rounding=0.05)
    near = tuple(plain * 1.03 for plain in truth.plain)

    assert judgement((near[0], truth.plain[1]), allowed, NAMES, EXACT).fault is None
    found = judgement((truth.plain[0], near[1]), allowed, NAMES, EXACT)
    assert found.fault is not None
    assert found.fault.startswith("gradient of input 0")


def test_a_record_is_fast_where_anything_asked_for_is() -> None:
    forward, both = kernels.gated(), kernels.gated(backward=True)
    gradients = replace(EXACT, gradient_precision="fast")

    assert [EXACT.precision_of(one) for one in (forward, both)] == ["exact", "exact"]
    assert [FAST.precision_of(one) for one in (forward, both)] == ["fast", "fast"]
    assert [gradients.precision_of(one) for one in (forward, both)] == ["exact", "fast"]
