"""An answer beside the truth: multiples of the plain kernel's error, and what is not compared."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
import torch

from plm_components.bench.judgement import judgement
from plm_components.bench.truth import Truth


@pytest.fixture
def truth() -> Truth:
    generator = torch.Generator().manual_seed(0)
    exact = torch.randn(2, 500, generator=generator, dtype=torch.float64)
    return Truth(
        exact=(exact[0], exact[1]),
        plain=(exact[0].bfloat16(), exact[1].bfloat16()),
        roundings=(0.0, 0.0),
        num_outputs=1,
        is_extreme=False,
        are_gradients_held=True,
    )


NAMES = ["output", "gradient of input 0"]


def test_errors_are_multiples_of_the_plain_kernels(truth: Truth) -> None:
    # every value 1.3 times as far off as the plain kernel's; correlation is lost with the square
    off = [e + 1.3 * (p.double() - e) for e, p in zip(truth.exact, truth.plain, strict=True)]
    wide = replace(truth, plain=tuple(plain.double() for plain in truth.plain))
    found = judgement(off, wide, NAMES, "exact")

    assert found.fault is None
    assert found.multiples == pytest.approx((1.3, 1.3, 1.69), rel=0.01)


def test_the_worst_tensor_is_told(truth: Truth) -> None:
    answer = (truth.plain[0], truth.plain[1] + 1)
    found = judgement(answer, truth, NAMES, "exact")

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
    found = judgement((spoil(truth.plain[0]), truth.plain[1]), truth, NAMES, "fast")

    assert found.fault is not None
    assert re.search(told, found.fault)


def test_a_missing_output_is_told(truth: Truth) -> None:
    found = judgement(truth.plain[:1], truth, NAMES, "exact")

    assert found.fault == "1 tensors (outputs, then gradients), not 2"


def test_gradients_that_are_not_held_must_be_finite(truth: Truth) -> None:
    loose = replace(truth, are_gradients_held=False)
    wrong = (truth.plain[0], -truth.plain[1])

    assert judgement(wrong, truth, NAMES, "exact").fault is not None
    assert judgement(wrong, loose, NAMES, "exact").fault is None
    broken = (truth.plain[0], truth.plain[1] / 0)
    assert judgement(broken, loose, NAMES, "exact").fault is not None


def test_a_fast_one_must_be_finite_where_inputs_are_large(truth: Truth) -> None:
    large = replace(truth, is_extreme=True)
    wrong = (-truth.plain[0], truth.plain[1])

    assert judgement(wrong, truth, NAMES, "fast").fault is not None
    assert judgement(wrong, large, NAMES, "fast").fault is None
    assert judgement(wrong, large, NAMES, "exact").fault is not None
