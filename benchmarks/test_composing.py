"""What a composition costs before it answers: checked, put together, read from the disk."""

from __future__ import annotations

from typing import Any

import pytest

import plm_components as plm

SPECS = ("plm-tiny", "plm-1b", "plm-8b")


@pytest.mark.parametrize("spec", SPECS)
def test_check(benchmark: Any, spec: str) -> None:
    benchmark.group = "check on the meta device"
    report = benchmark(lambda: plm.check(spec))
    assert report.ok


@pytest.mark.parametrize("spec", SPECS[1:])
def test_put_together(benchmark: Any, spec: str) -> None:
    benchmark.group = "assemble on the meta device"
    variant = benchmark(lambda: plm.assemble(spec, init="meta"))
    assert {parameter.device.type for parameter in variant.model.parameters()} == {"meta"}


def test_put_together_with_weights(benchmark: Any) -> None:
    benchmark.group = "assemble with weights"
    variant = benchmark(lambda: plm.assemble("plm-tiny"))
    assert {parameter.device.type for parameter in variant.model.parameters()} == {"cpu"}
