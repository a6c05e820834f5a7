"""Memory as a witness: NaN where nothing was written, bits compared as bits."""

from __future__ import annotations

import pytest
import torch

from plm_components.bench.memory import identical, poison, shares_memory


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.int64], ids=str)
def test_memory_handed_out_next_is_poisoned(bench_device, dtype) -> None:
    # 128 KiB: not so large that a processor's allocator would ask the system anew
    like = torch.zeros(1 << 14, dtype=torch.float64, device=bench_device).view(dtype)
    shares = []
    # now and then an allocator of a processor has a fitting block that it never offered before
    for _ in range(8):
        poison([like])
        found = torch.empty_like(like)
        spoilt = found.isnan() if dtype.is_floating_point else found == torch.iinfo(dtype).max
        shares.append(float(spoilt.float().mean()))

    # and it keeps a few bytes for its own books
    assert max(shares) > 0.99


def test_bits_are_compared() -> None:
    nan = torch.tensor([torch.nan, 1.0])

    assert identical(nan, nan.clone())
    assert not identical(torch.tensor([0.0]), torch.tensor([-0.0]))
    assert not identical(nan, nan.half())
    assert not identical(nan, nan[:1])
    assert identical(torch.tensor(1.0), torch.tensor(1.0))
    assert identical(torch.zeros(4, 3).T, torch.zeros(3, 4))


def test_a_view_is_no_memory_of_its_own() -> None:
    x = torch.zeros(8)

    assert shares_memory(x[2:], [x])
    assert not shares_memory(x.clone(), [x])
