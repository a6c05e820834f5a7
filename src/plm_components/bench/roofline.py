"""What a device can do at most, as measured here and now: a copy, a sum, matrix products."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from time import perf_counter
from typing import Any

import torch
from torch import Tensor

from plm_components.bench.caches import last_cache_bytes
from plm_components.bench.clock import CudaClock, cpu_clock
from plm_components.bench.operation import Work

# a matrix product reaches its best at a size that differs from device to device
_CUDA_SIDES = (2048, 4096, 8192)
_CPU_SIDES = (256, 512, 1024, 2048)
_PROBE_S = 0.08
_LEAST_TRIES = 3
_LONG_S = 0.2


@dataclass(frozen=True)
class Roofline:
    """The two bounds of a roofline.

    Args:
        flops_per_s: Of the fastest matrix product.
        bytes_per_s: Of the fastest of a copy (bytes read and written) and a sum (bytes read), both
            larger than the last cache.
    """

    flops_per_s: float
    bytes_per_s: float

    def least_s(self, work: Work) -> float:
        """The least seconds that this work takes if both bounds hold."""
        return max(work.flops / self.flops_per_s, work.bytes / self.bytes_per_s)


def measure_roofline(device: torch.device | str, dtype: torch.dtype) -> Roofline:
    """Measures both bounds, about a second each; asked again, it answers what it measured.

    Args:
        device: Where.
        dtype: Of the matrix products. fp32 ones keep fp32's precision: no TF32.
    """
    where = torch.device(device)
    if str(where) == "cuda":
        where = torch.device("cuda", torch.cuda.current_device())
    return _measured(where, dtype, torch.get_num_threads())


@cache
def _measured(device: torch.device, dtype: torch.dtype, threads: int) -> Roofline:
    """``threads`` are part of what was measured, on a processor."""
    return Roofline(_product_rate(device, dtype), _byte_rate(device))


def _byte_rate(device: torch.device) -> float:
    # so much more than the last cache that what stays in it does not count
    elements = min(8 * last_cache_bytes(device), 1 << 30) // 4
    source = torch.ones(elements, device=device)
    target = torch.empty_like(source)
    copied = 2 * source.nbytes / _best_s(lambda: target.copy_(source), device)
    summed = source.nbytes / _best_s(lambda: source.sum(), device)
    return max(copied, summed)


def _product_rate(device: torch.device, dtype: torch.dtype) -> float:
    sides = _CUDA_SIDES if device.type == "cuda" else _CPU_SIDES
    ways = (
        ("highest",) if device.type == "cuda" or dtype != torch.float32 else ("highest", "medium")
    )
    rates, took_s = [], 0.0
    for side in sides:
        one, other = (_square(side, device, dtype) for _ in range(2))
        for way in ways:
            with _matmul_precision(way):
                if _keeps_precision(one, other):
                    took_s = _best_s(lambda a=one, b=other: a @ b, device)  # type: ignore[misc]
                    rates.append(2 * side**3 / took_s)
        # eight times as long for the next, and no faster: halves on a processor without them
        if took_s > _LONG_S:
            break
    return max(rates)


def _square(side: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    # numbers of a kernel's, not zeros: a GPU's clock falls with what its bits do
    return torch.randn(side, side, device=device).to(dtype)


def _keeps_precision(one: Tensor, other: Tensor) -> bool:
    """Whether fp32 products are fp32 here: ``medium`` may mean bf16 on another processor."""
    if one.dtype != torch.float32:
        return True
    got, exact = one[:64] @ other, one[:64].double() @ other.double()
    return bool((got.double() - exact).norm() <= 1e-5 * exact.norm())


@contextmanager
def _matmul_precision(way: str) -> Iterator[None]:
    """On a CPU ``medium`` goes another way through fp32, on some twice as fast; put back after."""
    with warnings.catch_warnings():
        # torch 2.9 to 2.11 would rather have another way to say the same
        warnings.simplefilter("ignore")
        before = torch.get_float32_matmul_precision()
        torch.set_float32_matmul_precision(way)
    try:
        yield
    finally:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.set_float32_matmul_precision(before)


def _best_s(run: Callable[[], object], device: torch.device) -> float:
    """The fastest of many: what the device can do, not what it does on average."""
    clock: Callable[[], Any] = CudaClock(device) if device.type == "cuda" else cpu_clock
    run()
    began = perf_counter()
    times: list[float] = []
    while len(times) < _LEAST_TRIES or perf_counter() - began < _PROBE_S:
        start = clock()
        run()
        times.append(clock() - start)
    return min(times)
