"""Kernels against float64, by the conformance kit's budget, outputs and gradients alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from plm_components.kernels.triton_device import interpreted
from plm_components.testing.oracles import budget_fault

Function = Callable[..., Tensor | tuple[Tensor, ...]]


def rounding_of(dtype: torch.dtype) -> float:
    """What Triton's interpreter errs beside the kernel: it casts fp32 to bf16 by truncation.

    One unit in the last place, there and nowhere else.
    """
    return torch.finfo(dtype).eps if interpreted() and dtype == torch.bfloat16 else 0.0


def wide(*shape: int, dtype: torch.dtype, device: str, seed: int = 0) -> Tensor:
    """Normal numbers whose scale differs by channel, over four orders of magnitude."""
    draws = torch.Generator().manual_seed(seed)
    scale = 10 ** (4 * torch.rand(shape[-1], generator=draws, dtype=torch.float64) - 2)
    return (torch.randn(*shape, generator=draws, dtype=torch.float64) * scale).to(device, dtype)


@contextmanager
def poisoned() -> Iterator[None]:
    """New memory starts as NaN, so an output that nobody writes shows."""
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    assert torch.utils.deterministic.fill_uninitialized_memory
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)


def assert_exact(
    kernel: Function,
    oracle: Function,
    inputs: Sequence[Tensor],
    *,
    plain: Function | None = None,
    gradients: bool = True,
) -> None:
    """Outputs and gradients within twice the plain formula's own error.

    Args:
        kernel: Under test.
        oracle: The same in torch, in the dtype of what it is given; run in float64 for the truth,
            and in fp32, rounded at the end, for the plain kernel.
        inputs: All of one dtype; each gets a gradient.
        plain: The plain kernel, where it rounds in between: run in the dtype under test.
        gradients: Whether to look at the backward pass.
    """
    dtype = inputs[0].dtype
    before = [tensor.clone() for tensor in inputs]
    with poisoned():
        got = _run(kernel, inputs, gradients)
    exact = _run(oracle, [tensor.double() for tensor in inputs], gradients)
    if plain is None:
        wide = torch.promote_types(dtype, torch.float32)
        rounded = _run(oracle, [tensor.to(wide) for tensor in inputs], gradients)
    else:
        rounded = _run(plain, inputs, gradients)
    assert all(map(torch.equal, inputs, before)), "an input was written to"
    for number, (result, true, own) in enumerate(zip(got, exact, rounded, strict=True)):
        assert result.dtype == dtype
        fault = budget_fault(result, true, own.to(dtype), rounding=rounding_of(dtype))
        assert fault is None, f"result {number}: {fault}"


def _run(function: Function, inputs: Sequence[Tensor], gradients: bool) -> list[Tensor]:
    leaves = [tensor.detach().requires_grad_(gradients) for tensor in inputs]
    outputs = function(*leaves)
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    found = [output.detach() for output in outputs]
    if gradients:
        slopes = [_slope(output, seed) for seed, output in enumerate(outputs)]
        found += torch.autograd.grad(outputs, leaves, slopes)
    return found


def _slope(output: Tensor, seed: int) -> Tensor:
    """The same numbers, whatever the dtype: those that bf16 has."""
    draws = torch.Generator().manual_seed(100 + seed)
    return torch.randn(output.shape, generator=draws).bfloat16().to(output)
