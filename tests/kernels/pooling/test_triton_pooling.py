"""GELU and window means in one kernel: against float64, on the GPU or in Triton's interpreter."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial

import pytest
import torch
from torch.nn import functional as F

from kernel_exactness import assert_exact, wide
from plm_components.contracts import Grid, Pooling
from plm_components.errors import ShapeError, UnsupportedError
from plm_components.kernels.pooling.triton import TritonPooling
from plm_components.testing import conformance

POOL = TritonPooling()
# grid, window, channels: odd widths, oblong grids, one window, widths above one program's tile
CALLS = [
    (Grid(4, 4), 2, 16),
    (Grid(2, 10), 2, 13),
    (Grid(6, 9), 3, 7),
    (Grid(8, 4), 4, 33),
    (Grid(5, 3), 1, 5),
    (Grid(5, 10), 5, 3),
    (Grid(2, 2), 2, 1),
    (Grid(2, 2), 2, 1030),
]
if torch.cuda.is_available():
    # as the models have it, which the interpreter would take minutes for
    CALLS += [(Grid(32, 32), 2, 2048), (Grid(32, 32), 2, 4096), (Grid(32, 48), 4, 3072)]
DTYPES = [torch.float32, torch.bfloat16, torch.float16]


def written_out(tokens, grid, window, activation):
    """The formula, in the dtype of its tokens."""
    x = F.gelu(tokens) if activation == "gelu" else tokens
    x_BhywxC = x.reshape(len(x), grid.h // window, window, grid.w // window, window, -1)
    return x_BhywxC.mean((2, 4)).flatten(1, 2)


def call(grid: Grid, window: int, activation: str):
    return (
        partial(POOL, grid=grid, window=window, activation=activation),
        partial(written_out, grid=grid, window=window, activation=activation),
    )


def test_the_contract_is_there() -> None:
    assert isinstance(POOL, Pooling)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("activation", ["none", "gelu"])
@pytest.mark.parametrize(("grid", "window", "channels"), CALLS, ids=str)
def test_outputs_and_gradients(kernel_device, grid, window, channels, activation, dtype) -> None:
    tokens = wide(2, grid.num_tokens, channels, dtype=dtype, device=kernel_device)
    assert_exact(*call(grid, window, activation), [tokens])


@pytest.mark.parametrize("activation", ["none", "gelu"])
def test_float64_is_computed_in_float64(kernel_device, activation) -> None:
    kernel, oracle = call(Grid(2, 4), 2, activation)
    tokens = wide(1, 8, 2, dtype=torch.float64, device=kernel_device).requires_grad_()
    torch.testing.assert_close(kernel(tokens), oracle(tokens), rtol=1e-13, atol=1e-13)
    assert torch.autograd.gradcheck(kernel, tokens)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_gelu_is_exact_at_every_magnitude(kernel_device, dtype) -> None:
    # window 1: every number by itself, in outputs and in gradients
    sizes = torch.cat([torch.linspace(-9, 9, 1801), 10.0 ** torch.linspace(-8, 4, 97)])
    tokens = torch.cat([sizes, -sizes])[None, :, None].to(kernel_device, dtype)
    grid = Grid(1, tokens.shape[1])
    kernel, oracle = call(grid, 1, "gelu")
    assert_exact(kernel, oracle, [tokens])
    # the budget is in units of the largest value; here each counts by its own, where torch's
    # formula, 1 + erf, has lost everything by -6
    exact = tokens.double() * torch.special.ndtr(tokens.double())
    seen = (exact.abs() > 1e3 * torch.finfo(dtype).tiny) & (tokens.abs() < 6)
    error = ((kernel(tokens).double() - exact).abs() / exact.abs())[seen].max()
    assert error < max(4e-6, 1.01 * torch.finfo(dtype).eps)


@pytest.mark.parametrize("activation", ["none", "gelu"])
def test_large_magnitudes(kernel_device, activation) -> None:
    tokens = 1e30 * wide(1, 16, 8, dtype=torch.float32, device=kernel_device).abs()
    tokens[0, 3, 3], tokens[0, 5, 5], tokens[0, 6, 6] = torch.inf, torch.nan, 3e38
    kernel, oracle = call(Grid(4, 4), 2, activation)
    expected = oracle(tokens.double()).float()
    torch.testing.assert_close(kernel(tokens), expected, equal_nan=True)
    assert expected.isnan().sum() == expected.isinf().sum() == 1


def test_the_slope_of_gelu_far_out(kernel_device) -> None:
    far = [-torch.inf, -(2.0**99), -20.0, 20.0, 2.0**99, torch.inf, torch.nan]
    tokens = torch.tensor(far, device=kernel_device).view(1, -1, 1).requires_grad_()
    pooled = POOL(tokens, Grid(1, len(far)), 1, "gelu")
    assert pooled.flatten().tolist()[:6] == [0, 0, 0, 20, 2.0**99, torch.inf]
    (slope,) = torch.autograd.grad(pooled.sum(), tokens)
    assert slope.flatten().tolist()[:6] == [0, 0, 0, 1, 1, 1]
    assert pooled.isnan().sum() == slope.isnan().sum() == 1


@pytest.mark.parametrize("activation", ["none", "gelu"])
def test_tokens_need_not_be_contiguous(kernel_device, activation) -> None:
    behind_a_prefix = wide(3, 25, 14, dtype=torch.float32, device=kernel_device)[::2, 1:, ::2]
    transposed = wide(2, 7, 24, dtype=torch.float32, device=kernel_device).mT
    one_for_all = wide(1, 24, 7, dtype=torch.float32, device=kernel_device).expand(3, 24, 7)
    for tokens in (behind_a_prefix, transposed, one_for_all):
        assert_exact(*call(Grid(4, 6), 2, activation), [tokens])


def test_the_slope_need_not_be_contiguous(kernel_device) -> None:
    tokens = wide(2, 24, 7, dtype=torch.float32, device=kernel_device).requires_grad_()
    kernel, oracle = call(Grid(4, 6), 2, "gelu")
    for slope in (torch.ones(1, 1, 1).expand(2, 6, 7), torch.randn(2, 7, 6).mT):
        (found,) = torch.autograd.grad(kernel(tokens), tokens, slope.to(tokens))
        (expected,) = torch.autograd.grad(oracle(tokens), tokens, slope.to(tokens))
        torch.testing.assert_close(found, expected)


def test_nothing_of_full_resolution_is_kept_but_the_tokens(kernel_device) -> None:
    tokens = wide(2, 16, 8, dtype=torch.float32, device=kernel_device).requires_grad_()
    kept: list[torch.Tensor] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda x: kept.append(x) or x, lambda x: x):
        POOL(tokens, Grid(4, 4), 2, "gelu")
        POOL(tokens, Grid(4, 4), 2, "none")
    assert [one.data_ptr() for one in kept if one.numel()] == [tokens.data_ptr()]


def test_bits_repeat_with_and_without_gradients(kernel_device) -> None:
    tokens = wide(2, 24, 33, dtype=torch.bfloat16, device=kernel_device)
    first = POOL(tokens, Grid(4, 6), 2, "gelu")
    again = POOL(tokens.requires_grad_(), Grid(4, 6), 2, "gelu")
    assert torch.equal(first, again)


def test_offsets_beyond_32_bits(kernel_device) -> None:
    # strides of 31 bits whose multiple has 32; memory that nobody touches costs nothing on a CPU
    far = torch.empty(2**31 + 64, dtype=torch.bfloat16, device=kernel_device)
    tokens = far.as_strided((3, 4, 16), (2**30, 16, 1))
    tokens.copy_(wide(3, 4, 16, dtype=torch.bfloat16, device=kernel_device))
    assert_exact(*call(Grid(2, 2), 2, "gelu"), [tokens])


@pytest.mark.parametrize("shape", [(0, 16, 3), (2, 16, 0)])
def test_no_tile_gives_no_token(kernel_device, shape) -> None:
    tokens = torch.zeros(shape, device=kernel_device, requires_grad=True)
    pooled = POOL(tokens, Grid(4, 4), 2, "gelu")
    assert pooled.shape == (shape[0], 4, shape[2])
    pooled.sum().backward()
    assert tokens.grad is not None


def test_shapes_on_meta() -> None:
    tokens = torch.empty(7, 1024, 64, device="meta", dtype=torch.bfloat16)
    pooled = POOL(tokens, Grid(32, 32), 2, "gelu")
    assert (pooled.shape, pooled.dtype, pooled.device.type) == ((7, 256, 64), tokens.dtype, "meta")


def test_refusals(kernel_device) -> None:
    tokens = torch.zeros(1, 12, 5, device=kernel_device)
    with pytest.raises(ShapeError, match="12 tokens cannot be pooled 2x2"):
        POOL(tokens, Grid(3, 4), 2)
    with pytest.raises(UnsupportedError, match="pooling/triton knows no activation 'relu'"):
        POOL(tokens, Grid(2, 6), 2, "relu")  # type: ignore[arg-type]
    with pytest.raises(UnsupportedError) as caught:
        POOL(tokens.to(torch.int32), Grid(2, 6), 2)
    assert str(caught.value) == (
        "pooling/triton cannot take torch.int32.\n"
        "  where:    pooling/triton\n"
        "  expected: torch.float64, torch.float32, torch.bfloat16, torch.float16\n"
        "  fix:      convert the tensors, say to torch.bfloat16"
    )


def test_the_cpu_is_refused_where_nothing_interprets() -> None:
    code = """
import torch
from plm_components.contracts import Grid
from plm_components.kernels.pooling.triton import TritonPooling
TritonPooling()(torch.zeros(1, 4, 2), Grid(2, 2), 2)
"""
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "TRITON_INTERPRET": "0"},
    )
    assert run.stderr.endswith(
        "UnsupportedError: pooling/triton cannot run on cpu.\n"
        "  where:    pooling/triton\n"
        "  expected: tensors on a CUDA device; on the CPU, TRITON_INTERPRET=1 in the environment "
        "before triton is imported, for tests\n"
        "  fix:      move the model to cuda, or set pooling=mean\n"
    )


@pytest.mark.skipif(
    not torch.cuda.is_available(), reason="torch.compile takes compiled kernels, none interpreted"
)
# torch 2.11's inductor scripts something of its own, which is deprecated
@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
@pytest.mark.parametrize("backend", ["aot_eager", "inductor"])
def test_under_torch_compile(kernel_device, backend) -> None:
    tokens = wide(2, 24, 16, dtype=torch.bfloat16, device=kernel_device).requires_grad_()
    kernel, _ = call(Grid(4, 6), 2, "gelu")
    compiled = torch.compile(kernel, backend=backend, fullgraph=True)
    slope = torch.randn(2, 6, 16, generator=torch.Generator().manual_seed(0)).to(tokens)
    assert torch.equal(compiled(tokens), kernel(tokens))
    (found,) = torch.autograd.grad(compiled(tokens), tokens, slope)
    assert torch.equal(found, torch.autograd.grad(kernel(tokens), tokens, slope)[0])


def test_the_kit_passes() -> None:
    # the kit's tensors are on the CPU: only the interpreter can be asked
    if not torch.cuda.is_available():
        results = conformance(TritonPooling, kind="pooling")
        assert [str(result) for result in results if result.outcome == "failed"] == []
        assert sum(result.outcome == "passed" for result in results) >= 6
