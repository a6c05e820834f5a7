"""A wrong kernel gets no time."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from bench_gate import gate
from bench_ledger import Ledger, Row

from plm_components.contracts import Full
from plm_components.testing.oracles import attention_oracle, plain_attention


def test_a_wrong_answer_fails_before_anything_is_timed() -> None:
    q = torch.randn(1, 2, 9, 8, generator=torch.Generator().manual_seed(0))
    exact, plain = attention_oracle(q, q, q, Full()), plain_attention(q, q, q, Full())
    assert gate("right", plain, exact, plain) == pytest.approx(1.0)
    with pytest.raises(pytest.fail.Exception, match="wrong/kernel is wrong, so it gets no time"):
        gate("wrong/kernel", plain * 1.01, exact, plain)


def test_a_smoke_run_times_nothing(benchmark: Any) -> None:
    ledger, calls = Ledger(), []
    ledger.time(benchmark, lambda: calls.append(1), group="g", part="p", error=1.0, is_oracle=False)
    assert calls
    assert len(ledger.rows) == (0 if benchmark.disabled else 1)


def test_ratios_are_against_the_oracle_of_the_group() -> None:
    slow = Row("g", "attention/eager", 0.010, 0.001, 1.0, is_oracle=True)
    fast = Row("g", "attention/sdpa", 0.002, 0.0001, 1.3, is_oracle=False)
    assert Ledger.lines([slow, fast]) == [
        "  attention/sdpa                   2.000 ms ± 0.100         5.00x  error 1.30x plain",
        "  attention/eager                 10.000 ms ± 1.000         1.00x  error 1.00x plain"
        "  oracle",
    ]
