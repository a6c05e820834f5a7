"""Operations say what they compute and what it costs: counted by hand, and by torch."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from plm_components.bench.operation import Operation
from plm_components.bench.operations import attention, attention_truth, pooling
from plm_components.bench.operations.masks import mask_of, mask_sizes
from plm_components.contracts import Causal, CausalCached, Documents, Full, Grid, Mask
from plm_components.kernels.attention.eager import EagerAttention

MASKS: dict[str, tuple[Mask, int, int]] = {
    "full": (Full(), 7, 11),
    "causal": (Causal(), 9, 9),
    "documents": (Documents(torch.tensor([0, 5, 6, 12])), 12, 12),
    "shared prefix": (Documents(torch.tensor([4, 7, 12]), shared_prefix=4), 12, 12),
    "ragged cache": (CausalCached(torch.tensor([6, -2])), 3, 9),
}


FULL = Full()


def small(
    mask: Mask = FULL,
    queries: int = 7,
    keys: int = 11,
    *,
    dtype: torch.dtype = torch.float32,
    backward: bool = False,
) -> Operation:
    return attention(
        "attention/small",
        batch=2,
        num_heads=4,
        num_kv_heads=2,
        head_dim=8,
        num_queries=queries,
        num_keys=keys,
        mask=mask,
        dtype=dtype,
        device="cpu",
        backward=backward,
    )


def inputs(operation: Operation, seed: int = 0) -> tuple[Tensor, ...]:
    return operation.draw(torch.Generator().manual_seed(seed), "normal")


def counted(operation: Operation, kernel: EagerAttention, mask: Mask) -> int:
    x = [tensor.requires_grad_(operation.backward) for tensor in inputs(operation)]
    with FlopCounterMode(display=False) as counter:
        out = kernel(*x, mask)
        if operation.backward:
            out.sum().backward()
    return int(counter.get_total_flops())


@pytest.mark.parametrize("case", MASKS)
def test_a_mask_survives_as_plain_data(case: str) -> None:
    mask, queries, keys = MASKS[case]
    again = mask_of(mask_sizes(mask))
    cpu = torch.device("cpu")
    assert type(again) is type(mask)
    expected = mask.allowed(queries, keys, device=cpu)
    torch.testing.assert_close(again.allowed(queries, keys, device=cpu), expected)


@pytest.mark.parametrize("case", MASKS)
def test_attention_prices_the_pairs_that_may_see_each_other(case: str) -> None:
    mask, queries, keys = MASKS[case]
    allowed = mask.allowed(queries, keys, device=torch.device("cpu"))
    pairs = int(allowed.expand(2, -1, -1).sum())
    # two products of 8 channels for 4 query heads, two operations each
    assert small(mask, queries, keys).work.flops == 4 * 2 * 2 * 8 * pairs
    assert small(mask, queries, keys, backward=True).work.flops == 3 * 4 * 2 * 2 * 8 * pairs


@pytest.mark.parametrize("backward", [False, True])
def test_attention_costs_what_torch_counts_in_the_formula(backward: bool) -> None:
    operation = small(backward=backward)
    assert operation.work.flops == counted(operation, EagerAttention(4, 2, 8), Full())


def test_attention_moves_its_inputs_and_its_output_once() -> None:
    queries, keys = 2 * 4 * 7 * 8, 2 * 2 * 11 * 8
    assert small().work.bytes == 4 * (2 * queries + 2 * keys)
    # and the gradients: of the output in, of q, k and v out
    both = small(dtype=torch.bfloat16, backward=True).work.bytes
    assert both == 2 * (queries + 2 * keys + queries) + 2 * (queries + queries + 2 * keys)


@pytest.mark.parametrize("case", MASKS)
def test_truth_in_pieces_is_the_whole_truth(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    operation = small(*MASKS[case], backward=True)
    x = inputs(operation)
    whole, gradients = gradients_of(operation, x)
    rounding = operation.rounding
    assert rounding is not None
    whole_rounding = rounding(*x)
    # two or three queries a piece
    monkeypatch.setattr(attention_truth, "_SCORES", 50)
    pieces, by_piece = gradients_of(operation, x)
    torch.testing.assert_close(pieces, whole, rtol=0, atol=1e-12)
    torch.testing.assert_close(by_piece, gradients, rtol=0, atol=1e-12)
    assert rounding(*x) == pytest.approx(whole_rounding)
    plain = operation.plain(*x)
    assert plain.dtype == torch.float32
    torch.testing.assert_close(plain.double(), whole, rtol=0, atol=1e-5)


def gradients_of(operation: Operation, x: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
    leaves = [tensor.double().requires_grad_() for tensor in x]
    out = operation.exact(*leaves)
    assert isinstance(out, Tensor)
    return out.detach(), torch.autograd.grad(out.square().sum(), leaves)


@pytest.mark.parametrize("case", MASKS)
def test_attention_is_tried_at_other_sizes_under_its_own_mask(case: str) -> None:
    operation = small(*MASKS[case], dtype=torch.bfloat16, backward=True)
    trials = list(operation.trials())
    assert trials
    for trial in trials:
        assert trial.sizes["mask"] == operation.sizes["mask"]
        assert (trial.dtype, trial.backward) == (torch.bfloat16, True)
        q, k, v = inputs(trial)
        kernel = EagerAttention(4, 2, 8)
        expected = kernel(q.double(), k.double(), v.double(), mask_of(trial.sizes))
        torch.testing.assert_close(trial.exact(q, k, v), expected)


def test_pooling_is_counted_a_token_and_channel() -> None:
    # 3 tiles of 4x6 tokens, 5 channels
    def priced(activation: str, dtype: torch.dtype, *, backward: bool = False) -> Operation:
        return pooling(
            "pooling/small",
            batch=3,
            grid=Grid(4, 6),
            channels=5,
            activation=activation,  # type: ignore[arg-type]
            dtype=dtype,
            device="cpu",
            backward=backward,
        )

    assert priced("none", torch.float32).work.flops == 3 * 24 * 5
    assert priced("gelu", torch.float32).work.flops == 2 * 3 * 24 * 5
    assert priced("gelu", torch.bfloat16).work.bytes == 2 * (3 * 24 * 5 + 3 * 6 * 5)
    twice = priced("gelu", torch.bfloat16, backward=True).work
    assert (twice.flops, twice.bytes) == (4 * 3 * 24 * 5, 2 * 2 * (3 * 24 * 5 + 3 * 6 * 5))


def test_poolings_truth_is_torchs_average_of_gelu() -> None:
    operation = pooling(
        "pooling/small", batch=2, grid=Grid(4, 6), channels=5, dtype=torch.float32, device="cpu"
    )
    (x,) = inputs(operation)
    image = F.gelu(x.double()).mT.reshape(2, 5, 4, 6)
    expected = F.avg_pool2d(image, 2).flatten(2).mT
    torch.testing.assert_close(operation.exact(x), expected)
    assert operation.plain(x).dtype == torch.float32
    shapes = {tuple(trial.sizes.values())[1:4] for trial in operation.trials()}
    # one window, wide, tall and odd
    assert {(2, 2, 130), (6, 10, 24), (14, 4, 72), (2, 18, 257)} == shapes


def test_wide_inputs_have_outliers_and_large_ones_are_large() -> None:
    operation = small(queries=512)
    generator = torch.Generator().manual_seed(0)
    normal, wide, large = (
        operation.draw(generator, stimulus)[0] for stimulus in ("normal", "wide", "large")
    )
    assert float(normal.std()) == pytest.approx(1.0, rel=0.05)
    assert float(large.std()) == pytest.approx(8.0, rel=0.05)
    assert 0.002 < (wide.abs() > 8).float().mean() < 0.02
    assert wide.abs().median() == pytest.approx(float(normal.abs().median()), rel=0.1)
