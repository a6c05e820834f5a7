"""The gate: honest kernels pass, every cheat is caught, and the fault says which it was."""

from __future__ import annotations

import re
from dataclasses import replace

import gated_kernels as kernels
import pytest
import torch

from plm_components.bench.gate import examine
from plm_components.errors import ContractError, UnavailableError, UnsupportedError

BOTH = pytest.mark.parametrize("backward", [False, True], ids=["forward", "backward"])

# whichever block the allocator hands out: NaN, or an answer to something else
UNWRITTEN = "not finite; memory never written|error .* against float64"
CHEATS = {
    kernels.stale: "handed out in the memory of the call before",
    kernels.one_behind: "error .* against float64",
    kernels.unwritten: UNWRITTEN,
    kernels.half_written: UNWRITTEN,
    kernels.mutating: "an input was written to",
    kernels.in_place: "an input was written to",
    kernels.view: "lies in the memory of an input",
    kernels.by_pointer: "error .* against float64",
    kernels.by_shape: "error .* against float64",
    kernels.only_this_shape: r"gated \(rows=1, columns=1\): normal inputs: output: .* error",
    kernels.lowered: "RMS error|largest error",
    kernels.another_thread: "not finite|was not there|largest error",
    kernels.fails: "raised ZeroDivisionError: oh no",
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@BOTH
def test_an_honest_kernel_passes(bench_device, dtype, backward) -> None:
    operation = kernels.gated(dtype=dtype, device=bench_device, backward=backward)
    verdict = examine(operation, kernels.contender(kernels.honest))

    assert verdict.fault is None
    assert (verdict.largest, verdict.rms, verdict.decorrelation) == pytest.approx((1, 1, 1))
    assert (verdict.trials, verdict.declined) == (2, 0)


@pytest.mark.parametrize("cheat", CHEATS, ids=lambda cheat: cheat.__name__)
def test_a_cheat_is_caught(bench_device, cheat) -> None:
    verdict = examine(kernels.gated(device=bench_device), kernels.contender(cheat), seed=1234)

    assert verdict.fault is not None
    assert re.search(CHEATS[cheat], verdict.fault)
    assert verdict.fault.endswith("(seed 1234)")


@pytest.mark.parametrize("cheat", [kernels.side_stream, kernels.side_stream_early])
def test_work_on_a_side_stream_is_caught(bench_device, cheat) -> None:
    if bench_device.type != "cuda":
        pytest.skip("streams need a GPU, and this machine has none")
    operation = kernels.gated(2048, 4096, device=bench_device)
    verdict = examine(operation, kernels.contender(cheat))

    assert verdict.fault is not None
    if cheat is kernels.side_stream:
        assert "side stream" in verdict.fault


def test_a_wrong_gradient_is_caught(bench_device) -> None:
    wrong = kernels.contender(kernels.wrong_gradient)
    operation = kernels.gated(device=bench_device)

    assert examine(operation, wrong).fault is None
    verdict = examine(kernels.gated(device=bench_device, backward=True), wrong)
    assert verdict.fault is not None
    assert "gradient of input 1" in verdict.fault


def test_lower_precision_passes_only_where_it_is_declared(bench_device) -> None:
    operation = kernels.gated(device=bench_device)

    assert examine(operation, kernels.contender(kernels.lowered)).fault is not None
    fast = examine(operation, kernels.contender(kernels.lowered, precision="fast"))
    assert fast.fault is None
    assert fast.rms > 100, "a fast one is listed with its error"


def test_a_fast_one_may_err_as_far_as_the_plain_kernel(bench_device) -> None:
    # so far out that in fp32 the plain kernel says 0, which is all of the truth's own size
    def far_out(generator, stimulus):
        return torch.tensor([[-8.0]], device=bench_device), torch.ones(1, device=bench_device)

    operation = replace(kernels.gated(1, 1, device=bench_device, trials=False), draw=far_out)
    for precision in ("exact", "fast"):
        verdict = examine(operation, kernels.contender(kernels.honest, precision=precision))
        assert verdict.fault is None, precision


def test_who_is_unavailable_at_another_size_only_is_wrong(bench_device) -> None:
    def elsewhere(operation):
        def call(x, w):
            if x.shape == (33, 64):
                return kernels.plain(x, w)
            raise UnavailableError("gone", where="", expected="", fix="")

        return call

    verdict = examine(kernels.gated(device=bench_device), kernels.contender(elsewhere))
    assert verdict.fault.startswith("gated (rows=1, columns=1): raised gone (seed ")


def test_fast_is_no_excuse_for_nonsense(bench_device) -> None:
    verdict = examine(
        kernels.gated(device=bench_device), kernels.contender(kernels.by_shape, precision="fast")
    )

    assert verdict.fault is not None
    assert "a fast one needs 0.999" in verdict.fault


@pytest.mark.parametrize("nonsense", [kernels.doubled, kernels.shifted, kernels.zeros])
def test_a_fast_one_has_the_size_of_the_truth_too(bench_device, nonsense) -> None:
    # each of these correlates with the truth, or has no correlation at all
    verdict = examine(
        kernels.gated(device=bench_device), kernels.contender(nonsense, precision="fast")
    )

    assert verdict.fault is not None
    assert "of the truth's own size" in verdict.fault


def test_a_size_that_is_declined_is_counted_and_not_held_against_it(bench_device) -> None:
    part = kernels.contender(kernels.declines_odd_shapes)
    verdict = examine(kernels.gated(device=bench_device), part)

    assert verdict.fault is None
    assert (verdict.trials, verdict.declined) == (0, 2)
    with pytest.raises(UnsupportedError, match="odd"):
        examine(kernels.gated(5, 5, device=bench_device), part)


def test_inputs_are_others_each_time_and_the_seed_brings_them_back(bench_device) -> None:
    seen = []

    def spy(operation):
        def call(x, w):
            seen.append(float(x.sum()))
            return kernels.plain(x, w)

        return call

    operation = kernels.gated(device=bench_device, trials=False)
    for seed in (None, None, 7, 7):
        examine(operation, kernels.contender(spy), seed=seed)
    first, second, third, fourth = (
        seen[start : start + 3] for start in range(0, len(seen), len(seen) // 4)
    )
    assert first != second
    assert third == fourth


def test_an_operation_that_is_not_finite_itself_is_at_fault(bench_device) -> None:
    operation = kernels.gated(device=bench_device, dtype=torch.float16)
    broken = type(operation)(**{**vars(operation), "draw": _huge(operation)})

    with pytest.raises(ContractError, match="oracles of gated give a value that is not finite"):
        examine(broken, kernels.contender(kernels.honest))


def _huge(operation):
    def draw(generator, stimulus):
        x, w = operation.draw(generator, stimulus)
        return x.abs() + 6e4, w.abs() + 6e4

    return draw
