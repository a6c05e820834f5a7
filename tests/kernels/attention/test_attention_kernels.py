"""Every attention kernel against torch's attention in float64, heads expanded, mask explicit."""

from __future__ import annotations

import gc
import weakref
from itertools import pairwise

import pytest
import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from plm_components.contracts import Causal, CausalCached, Documents, Full, Mask
from plm_components.errors import ContractError, ShapeError, UnsupportedError
from plm_components.kernels.attention.eager import EagerAttention
from plm_components.kernels.attention.flex import FlexAttention
from plm_components.kernels.attention.sdpa import SDPAAttention

KERNELS = (EagerAttention, SDPAAttention, FlexAttention)
HEADS = ((4, 4), (4, 2), (6, 1))
CASES: dict[str, tuple[int, int, Mask]] = {
    "full": (7, 11, Full()),
    "causal": (9, 9, Causal()),
    "one query": (1, 11, Full()),
    "one causal query": (1, 1, Causal()),
    "documents": (12, 12, Documents(torch.tensor([0, 5, 6, 12]))),
    "shared prefix": (12, 12, Documents(torch.tensor([4, 7, 12]), shared_prefix=4)),
    "ragged cache": (3, 9, CausalCached(torch.tensor([6, 2]))),
    "ragged decode": (1, 7, CausalCached(torch.tensor([6, 2]))),
    "even decode": (1, 7, CausalCached(torch.tensor([6, 6]))),
}


def inputs(
    heads: int, kv_heads: int, queries: int, keys: int, dtype: torch.dtype = torch.float32
) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(queries * 100 + keys)
    shapes = ((2, heads, queries, 8), (2, kv_heads, keys, 8), (2, kv_heads, keys, 8))
    q, k, v = (torch.randn(shape, generator=generator) * 2 for shape in shapes)
    return q.to(dtype), k.to(dtype), v.to(dtype)


def allowed_by_loop(mask: Mask, queries: int, keys: int) -> Tensor:
    """The masks' definitions, one pair at a time."""
    out = torch.zeros(2, queries, keys, dtype=torch.bool)
    for row in range(2):
        for i in range(queries):
            for j in range(keys):
                out[row, i, j] = may_look(mask, row, i, j)
    return out


def may_look(mask: Mask, row: int, i: int, j: int) -> bool:
    if isinstance(mask, Full):
        return True
    if isinstance(mask, Causal):
        return j <= i
    if isinstance(mask, CausalCached):
        return j <= int(mask.lengths_B[row]) + i
    starts = mask.cu_seqlens.tolist()
    same = any(a <= i < b and a <= j < b for a, b in pairwise(starts))
    in_prefix = j < mask.shared_prefix
    return j <= i and (same or in_prefix)


def oracle(q: Tensor, k: Tensor, v: Tensor, mask: Mask) -> Tensor:
    repeats = q.shape[1] // k.shape[1]
    allowed = allowed_by_loop(mask, q.shape[2], k.shape[2])
    return scaled_dot_product_attention(
        q.double(),
        k.double().repeat_interleave(repeats, 1),
        v.double().repeat_interleave(repeats, 1),
        attn_mask=allowed[:, None],
    )


# flex traces every call anew, a third of a second each: its heads are varied on one mask only
EXACT = [
    (kernel, heads, kv_heads, case)
    for kernel in KERNELS
    for heads, kv_heads in HEADS
    for case in CASES
    if kernel is not FlexAttention or kv_heads == 2 or case == "causal"
]


@pytest.mark.parametrize(("kernel", "heads", "kv_heads", "case"), EXACT)
def test_equals_float64_attention(kernel: type, heads: int, kv_heads: int, case: str) -> None:
    queries, keys, mask = CASES[case]
    q, k, v = inputs(heads, kv_heads, queries, keys)
    found = kernel(heads, kv_heads, 8)(q, k, v, mask)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), oracle(q, k, v, mask), rtol=0, atol=2e-5)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_low_precision_stays_within_twice_the_oracles_error(
    kernel: type, dtype: torch.dtype
) -> None:
    q, k, v = inputs(4, 2, 64, 64, dtype)
    exact = oracle(q, k, v, Causal())
    error = (kernel(4, 2, 8)(q, k, v, Causal()).double() - exact).abs().max()
    allowed = (EagerAttention(4, 2, 8)(q, k, v, Causal()).double() - exact).abs().max()
    assert kernel(4, 2, 8)(q, k, v, Causal()).dtype == dtype
    assert error <= 2 * allowed


@pytest.mark.parametrize("kernel", [EagerAttention, SDPAAttention])
def test_float64_is_computed_in_float64(kernel: type) -> None:
    q, k, v = inputs(4, 2, 9, 9, torch.float64)
    error = (kernel(4, 2, 8)(q, k, v, Causal()) - oracle(q, k, v, Causal())).abs().max()
    assert error < 1e-12


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("queries", [1, 3])
def test_a_query_without_keys_gets_zeros(kernel: type, queries: int) -> None:
    # a length of -4 hides every key from the second row
    mask = CausalCached(torch.tensor([4, -4]))
    found = kernel(4, 2, 8)(*inputs(4, 2, queries, 4 + queries), mask)
    assert found[0].abs().sum() > 0
    assert found[1].abs().max() == 0


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("case", ["causal", "documents", "shared prefix", "ragged cache"])
def test_the_hidden_cannot_be_seen(kernel: type, case: str) -> None:
    queries, keys, mask = CASES[case]
    q, k, v = inputs(4, 2, queries, keys)
    before = kernel(4, 2, 8)(q, k, v, mask)
    allowed = allowed_by_loop(mask, queries, keys)
    for key in range(keys):
        k2, v2 = k.clone(), v.clone()
        k2[:, :, key], v2[:, :, key] = 50.0, -50.0
        changed = (kernel(4, 2, 8)(q, k2, v2, mask) - before).abs().amax((1, 3)) > 0
        assert torch.equal(changed, allowed[:, :, key]), key


@pytest.mark.parametrize("kernel", [EagerAttention, SDPAAttention])
@pytest.mark.parametrize("case", ["full", "causal", "shared prefix", "ragged cache"])
def test_gradients_equal_the_oracles(kernel: type, case: str) -> None:
    queries, keys, mask = CASES[case]
    tensors = [tensor.requires_grad_() for tensor in inputs(4, 2, queries, keys)]
    weights = torch.randn(2, 4, queries, 8, generator=torch.Generator().manual_seed(0))
    (kernel(4, 2, 8)(*tensors, mask) * weights).sum().backward()
    found = [tensor.grad for tensor in tensors]
    exact = torch.autograd.grad((oracle(*tensors, mask) * weights.double()).sum(), tensors)
    for one, other in zip(found, exact, strict=True):
        torch.testing.assert_close(one, other.float(), rtol=0, atol=1e-4)


@pytest.mark.parametrize("kernel", [EagerAttention, SDPAAttention])
def test_no_gradient_is_nan_where_a_query_sees_nothing(kernel: type) -> None:
    tensors = [tensor.requires_grad_() for tensor in inputs(4, 2, 2, 6)]
    kernel(4, 2, 8)(*tensors, CausalCached(torch.tensor([4, -4]))).sum().backward()
    assert all(bool(tensor.grad.isfinite().all()) for tensor in tensors)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("case", CASES)
def test_shapes_on_meta(kernel: type, case: str) -> None:
    queries, keys, mask = CASES[case]
    q, k, v = (tensor.to("meta") for tensor in inputs(4, 2, queries, keys))
    found = kernel(4, 2, 8)(q, k, v, mask)
    assert found.shape == (2, 4, queries, 8)
    assert found.is_meta


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_mask_changed_in_place_is_seen(kernel: type) -> None:
    q, k, v = inputs(4, 2, 12, 12)
    mask = Documents(torch.tensor([0, 5, 12]))
    attention = kernel(4, 2, 8)
    attention(q, k, v, mask)
    mask.cu_seqlens[1] = 9
    torch.testing.assert_close(
        attention(q, k, v, mask).double(), oracle(q, k, v, mask), rtol=0, atol=2e-5
    )


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("case", CASES)
def test_every_mask_in_inference_mode(kernel: type, case: str) -> None:
    queries, keys, mask = CASES[case]
    tensors = inputs(4, 2, queries, keys)
    expected = kernel(4, 2, 8)(*tensors, mask)
    with torch.inference_mode():
        found = kernel(4, 2, 8)(*tensors, mask)
    torch.testing.assert_close(found, expected, rtol=0, atol=0)
    # what was made there may be used outside of it
    torch.testing.assert_close(kernel(4, 2, 8)(*tensors, mask), expected, rtol=0, atol=0)


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_mask_born_in_inference_mode_and_changed_in_place(kernel: type) -> None:
    q, k, v = inputs(4, 2, 12, 12)
    attention = kernel(4, 2, 8)
    with torch.inference_mode():
        mask = Documents(torch.tensor([0, 5, 12]))
        attention(q, k, v, mask)
        mask.cu_seqlens[1] = 9
        found = attention(q, k, v, mask)
    torch.testing.assert_close(found.double(), oracle(q, k, v, mask), rtol=0, atol=2e-5)
    torch.testing.assert_close(attention(q, k, v, mask), found, rtol=0, atol=0)


@pytest.mark.parametrize("kernel", KERNELS)
def test_masks_are_not_kept_alive(kernel: type) -> None:
    mask = CausalCached(torch.tensor([6, 2]))
    kernel(4, 2, 8)(*inputs(4, 2, 3, 9), mask)
    gone = weakref.ref(mask)
    del mask
    gc.collect()
    assert gone() is None


def test_flex_refuses_gradients_on_a_cpu_and_says_why() -> None:
    q, k, v = (tensor.requires_grad_() for tensor in inputs(4, 2, 9, 9))
    with pytest.raises(UnsupportedError) as caught:
        FlexAttention(4, 2, 8)(q, k, v, Causal())
    assert str(caught.value) == (
        "attention/flex cannot do gradients on cpu.\n"
        "  where:    attention/flex\n"
        "  expected: backward on: cuda\n"
        "  fix:      choose another attention part for this slot: attention=eager does everything"
    )
    with pytest.raises(UnsupportedError, match="gradients on cpu"):
        FlexAttention(4, 2, 8)(q.detach(), k.detach(), v, Causal())
    with torch.no_grad():
        assert FlexAttention(4, 2, 8)(q, k, v, Causal()).shape == q.shape


def test_flex_refuses_float64() -> None:
    with pytest.raises(UnsupportedError, match=r"attention/flex cannot do torch\.float64"):
        FlexAttention(4, 2, 8)(*inputs(4, 2, 9, 9, torch.float64), Causal())


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("mask", [Causal()])
def test_causal_must_be_square(kernel: type, mask: Mask) -> None:
    with pytest.raises(ShapeError) as caught:
        kernel(4, 2, 8)(*inputs(4, 2, 3, 9), mask)
    assert caught.value.what == "A Causal mask over 3 queries and 9 keys."
    assert caught.value.fix == "behind a cache pass CausalCached(lengths_B) instead of Causal()"


@pytest.mark.parametrize("kernel", KERNELS)
def test_heads_must_be_those_it_was_built_for(kernel: type) -> None:
    with pytest.raises(ShapeError, match="4 query and 2 key/value heads"):
        kernel(4, 4, 8)(*inputs(4, 2, 3, 9), Full())
    with pytest.raises(ContractError, match="5 query heads of 8 channels cannot share 2"):
        kernel(5, 2, 8)
