"""Every part made of torch against torch's attention in float64, heads expanded, mask explicit.

On the GPU where there is one; there flex compiles for seconds a call and is tried by itself.
"""

from __future__ import annotations

import gc
import weakref

import pytest
import torch
from attention_cases import CASES, HEAD_DIM, HEADS, allowed_by_loop, cases_of, inputs, oracle

from plm_components.contracts import Causal, CausalCached, Documents
from plm_components.errors import ContractError, ShapeError
from plm_components.kernels.attention.blocked_causal import BlockedCausalAttention
from plm_components.kernels.attention.eager import EagerAttention
from plm_components.kernels.attention.flex import FlexAttention
from plm_components.kernels.attention.grouped import GroupedAttention
from plm_components.kernels.attention.paired_heads import PairedHeadsAttention
from plm_components.kernels.attention.sdpa import SDPAAttention

ON_GPU = torch.cuda.is_available()
CPU_ONLY = (GroupedAttention, BlockedCausalAttention, PairedHeadsAttention)
EVERY_MASK = (EagerAttention, SDPAAttention, *(() if ON_GPU else (FlexAttention,)))
KERNELS = (*EVERY_MASK, *(() if ON_GPU else CPU_ONLY))
DIFFERENTIABLE = (EagerAttention, SDPAAttention)
TRIED = [(kernel, case) for kernel in KERNELS for case in cases_of(kernel)]

# flex traces every call anew, a third of a second each: its heads are varied on one mask only
EXACT = [
    (kernel, heads, kv_heads, case)
    for kernel, case in TRIED
    for heads, kv_heads in HEADS
    if kernel is not FlexAttention or kv_heads == 2 or case == "causal"
]


@pytest.mark.parametrize(("kernel", "heads", "kv_heads", "case"), EXACT)
def test_equals_float64_attention(
    kernel: type, heads: int, kv_heads: int, case: str, kernel_device: str
) -> None:
    queries, keys, mask = CASES[case]
    q, k, v = inputs(heads, kv_heads, queries, keys, device=kernel_device)
    found = kernel(heads, kv_heads, HEAD_DIM)(q, k, v, mask)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), oracle(q, k, v, mask), rtol=0, atol=2e-5)


@pytest.mark.parametrize("kernel", EVERY_MASK)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_low_precision_stays_within_twice_the_oracles_error(
    kernel: type, dtype: torch.dtype, kernel_device: str
) -> None:
    q, k, v = inputs(4, 2, 64, 64, dtype, kernel_device)
    exact = oracle(q, k, v, Causal())
    found = kernel(4, 2, HEAD_DIM)(q, k, v, Causal())
    allowed = (EagerAttention(4, 2, HEAD_DIM)(q, k, v, Causal()).double() - exact).abs().max()
    assert found.dtype == dtype
    assert (found.double() - exact).abs().max() <= 2 * allowed


@pytest.mark.parametrize("kernel", [EagerAttention, SDPAAttention])
def test_float64_is_computed_in_float64(kernel: type, kernel_device: str) -> None:
    q, k, v = inputs(4, 2, 9, 9, torch.float64, kernel_device)
    error = (kernel(4, 2, HEAD_DIM)(q, k, v, Causal()) - oracle(q, k, v, Causal())).abs().max()
    assert error < 1e-12


BLIND = [kernel for kernel in KERNELS if CausalCached in kernel.support.masks]


@pytest.mark.parametrize("kernel", BLIND)
@pytest.mark.parametrize("queries", [1, 3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_query_without_keys_gets_zeros(
    kernel: type, queries: int, dtype: torch.dtype, kernel_device: str
) -> None:
    # a length of -4 hides every key from the second row
    mask = CausalCached(torch.tensor([4, -4]))
    q, k, v = inputs(4, 2, queries, 4 + queries, dtype, kernel_device)
    found = kernel(4, 2, HEAD_DIM)(q, k, v, mask)
    assert found[0].abs().sum() > 0
    assert found[1].abs().max() == 0


HIDING = [
    (kernel, case)
    for kernel in KERNELS
    for case in cases_of(kernel, "causal", "documents", "shared prefix", "ragged cache")
]


@pytest.mark.parametrize(("kernel", "case"), HIDING)
def test_the_hidden_cannot_be_seen(kernel: type, case: str, kernel_device: str) -> None:
    queries, keys, mask = CASES[case]
    q, k, v = inputs(4, 2, queries, keys, device=kernel_device)
    before = kernel(4, 2, HEAD_DIM)(q, k, v, mask)
    allowed = allowed_by_loop(mask, queries, keys)
    for key in range(keys):
        k2, v2 = k.clone(), v.clone()
        k2[:, :, key], v2[:, :, key] = 50.0, -50.0
        changed = (kernel(4, 2, HEAD_DIM)(q, k2, v2, mask) - before).abs().amax((1, 3)) > 0
        assert torch.equal(changed.cpu(), allowed[:, :, key]), key


SLOPED = [
    (kernel, case)
    for kernel in DIFFERENTIABLE
    for case in cases_of(kernel, "full", "causal", "shared prefix", "ragged cache")
]


@pytest.mark.parametrize(("kernel", "case"), SLOPED)
def test_gradients_equal_the_oracles(kernel: type, case: str, kernel_device: str) -> None:
    queries, keys, mask = CASES[case]
    tensors = [x.requires_grad_() for x in inputs(4, 2, queries, keys, device=kernel_device)]
    weights = torch.randn(2, 4, queries, HEAD_DIM, generator=torch.Generator().manual_seed(0))
    weights = weights.to(kernel_device)
    (kernel(4, 2, HEAD_DIM)(*tensors, mask) * weights).sum().backward()
    found = [tensor.grad for tensor in tensors]
    exact = torch.autograd.grad((oracle(*tensors, mask) * weights.double()).sum(), tensors)
    for one, other in zip(found, exact, strict=True):
        torch.testing.assert_close(one, other.float(), rtol=0, atol=1e-4)


@pytest.mark.parametrize("kernel", DIFFERENTIABLE)
def test_no_gradient_is_nan_where_a_query_sees_nothing(kernel: type, kernel_device: str) -> None:
    tensors = [x.requires_grad_() for x in inputs(4, 2, 2, 6, device=kernel_device)]
    kernel(4, 2, HEAD_DIM)(*tensors, CausalCached(torch.tensor([4, -4]))).sum().backward()
    assert all(bool(tensor.grad.isfinite().all()) for tensor in tensors)


@pytest.mark.parametrize(("kernel", "case"), TRIED)
def test_shapes_on_meta(kernel: type, case: str) -> None:
    queries, keys, mask = CASES[case]
    q, k, v = inputs(4, 2, queries, keys, device="meta")
    found = kernel(4, 2, HEAD_DIM)(q, k, v, mask)
    assert found.shape == (2, 4, queries, HEAD_DIM)
    assert found.is_meta


@pytest.mark.parametrize("kernel", EVERY_MASK)
def test_a_mask_changed_in_place_is_seen(kernel: type, kernel_device: str) -> None:
    q, k, v = inputs(4, 2, 12, 12, device=kernel_device)
    mask = Documents(torch.tensor([0, 5, 12]))
    attention = kernel(4, 2, HEAD_DIM)
    attention(q, k, v, mask)
    mask.cu_seqlens[1] = 9
    torch.testing.assert_close(
        attention(q, k, v, mask).double(), oracle(q, k, v, mask), rtol=0, atol=2e-5
    )


@pytest.mark.parametrize(("kernel", "case"), TRIED)
def test_every_mask_in_inference_mode(kernel: type, case: str, kernel_device: str) -> None:
    queries, keys, mask = CASES[case]
    tensors = inputs(4, 2, queries, keys, device=kernel_device)
    expected = kernel(4, 2, HEAD_DIM)(*tensors, mask)
    with torch.inference_mode():
        found = kernel(4, 2, HEAD_DIM)(*tensors, mask)
    torch.testing.assert_close(found, expected, rtol=0, atol=0)
    # what was made there may be used outside of it
    torch.testing.assert_close(kernel(4, 2, HEAD_DIM)(*tensors, mask), expected, rtol=0, atol=0)


@pytest.mark.parametrize("kernel", EVERY_MASK)
def test_a_mask_born_in_inference_mode_and_changed_in_place(
    kernel: type, kernel_device: str
) -> None:
    q, k, v = inputs(4, 2, 12, 12, device=kernel_device)
    attention = kernel(4, 2, HEAD_DIM)
    with torch.inference_mode():
        mask = Documents(torch.tensor([0, 5, 12]))
        attention(q, k, v, mask)
        mask.cu_seqlens[1] = 9
        found = attention(q, k, v, mask)
    torch.testing.assert_close(found.double(), oracle(q, k, v, mask), rtol=0, atol=2e-5)
    torch.testing.assert_close(attention(q, k, v, mask), found, rtol=0, atol=0)


@pytest.mark.parametrize("kernel", BLIND)
def test_masks_are_not_kept_alive(kernel: type, kernel_device: str) -> None:
    mask = CausalCached(torch.tensor([6, 2]))
    kernel(4, 2, HEAD_DIM)(*inputs(4, 2, 3, 9, device=kernel_device), mask)
    gone = weakref.ref(mask)
    del mask
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize("kernel", [k for k in KERNELS if Causal in k.support.masks])
def test_causal_must_be_square(kernel: type, kernel_device: str) -> None:
    with pytest.raises(ShapeError) as caught:
        kernel(4, 2, HEAD_DIM)(*inputs(4, 2, 3, 9, device=kernel_device), Causal())
    assert caught.value.what == "A Causal mask over 3 queries and 9 keys."
    assert caught.value.fix == "behind a cache pass CausalCached(lengths_B) instead of Causal()"


@pytest.mark.parametrize("kernel", KERNELS)
def test_heads_must_be_those_it_was_built_for(kernel: type, kernel_device: str) -> None:
    queries, keys, mask = CASES[cases_of(kernel)[0]]
    with pytest.raises(ShapeError, match="4 query and 2 key/value heads"):
        kernel(4, 4, HEAD_DIM)(*inputs(4, 2, queries, keys, device=kernel_device), mask)
    with pytest.raises(ContractError, match="5 query heads of 8 channels cannot share 2"):
        kernel(5, 2, HEAD_DIM)
