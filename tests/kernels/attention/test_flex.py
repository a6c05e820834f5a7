"""What is flex's own: refusals, and the compiled form on a GPU."""

from __future__ import annotations

from typing import NoReturn

import pytest
import torch
from attention_cases import CASES, inputs, oracle

from plm_components.contracts import Causal, CausalCached, Documents
from plm_components.errors import UnavailableError, UnsupportedError
from plm_components.kernels.attention import flex
from plm_components.kernels.attention.flex import FlexAttention

on_a_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs cuda")


def test_refuses_gradients_on_a_cpu_and_says_why() -> None:
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


def test_refuses_float64() -> None:
    with pytest.raises(UnsupportedError, match=r"attention/flex cannot do torch\.float64"):
        FlexAttention(4, 2, 8)(*inputs(4, 2, 9, 9, torch.float64), Causal())


def _compiled_by(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def backend(graph: object, inputs: object) -> NoReturn:
        raise error

    flex._compiled()
    compiled = torch.compile(flex._FLEX, fullgraph=True, backend=backend)
    monkeypatch.setattr(flex, "_compiled", lambda: compiled)
    torch._dynamo.reset()


def test_says_what_the_compiler_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    _compiled_by(RuntimeError("Failed to find C compiler.\nPlease set CC"), monkeypatch)
    with pytest.raises(UnavailableError) as caught:
        flex._fused(*inputs(4, 4, 9, 9))
    assert str(caught.value) == (
        "attention/flex cannot be compiled here (RuntimeError: Failed to find C compiler.).\n"
        "  where:    attention/flex\n"
        "  expected: what torch.compile needs: triton, and a C compiler that it finds\n"
        "  fix:      install them, or choose another attention part for this slot: attention=sdpa"
    )


def test_says_that_triton_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    from torch._inductor.exc import TritonMissing

    _compiled_by(TritonMissing(None), monkeypatch)
    with pytest.raises(UnavailableError, match=r"cannot be compiled here \(TritonMissing"):
        flex._fused(*inputs(4, 4, 9, 9))


def test_another_fault_of_the_compiler_stays_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    _compiled_by(ValueError("no lowering of this"), monkeypatch)
    with pytest.raises(torch._dynamo.exc.BackendCompilerFailed, match="no lowering of this"):
        flex._fused(*inputs(4, 4, 9, 9))


def test_new_lengths_and_prefixes_compile_nothing_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    # imports torch's compiler without the warnings that it makes then
    flex._compiled()
    counted = torch._dynamo.testing.CompileCounterWithBackend("eager")
    compiled = torch.compile(flex._FLEX, fullgraph=True, backend=counted)
    monkeypatch.setattr(flex, "_compiled", lambda: compiled)
    torch._dynamo.reset()
    compiles = []
    for length, prefix in ((12, 2), (13, 3), (14, 4), (17, 5)):
        mask = Documents(torch.tensor([prefix, 9, length]), shared_prefix=prefix)
        q, k, v = inputs(4, 2, length, length)
        blocks = flex._block_mask(mask, q, k)
        found = flex._fused(q, k, v, block_mask=blocks, enable_gqa=True)
        torch.testing.assert_close(found.double(), oracle(q, k, v, mask), rtol=0, atol=2e-5)
        compiles.append(counted.frame_count)
    # for this length; then for any
    assert compiles == [1, 2, 2, 2]


@on_a_gpu
def test_refuses_small_heads_on_a_gpu() -> None:
    q, k, v = inputs(4, 2, 9, 9, device="cuda")
    with pytest.raises(UnsupportedError) as caught:
        FlexAttention(4, 2, 8)(q, k, v, Causal())
    assert caught.value.what == "attention/flex cannot do head_dim 8 on cuda."
    assert caught.value.expected == "head_dim of 16 or more there"


@on_a_gpu
@pytest.mark.parametrize("case", ["full", "causal", "shared prefix", "ragged cache", "even decode"])
def test_compiled_equals_float64_attention(case: str) -> None:
    queries, keys, mask = CASES[case]
    q, k, v = inputs(4, 2, queries, keys, device="cuda", head_dim=24)
    found = FlexAttention(4, 2, 24)(q, k, v, mask)
    torch.testing.assert_close(found.double(), oracle(q, k, v, mask), rtol=0, atol=2e-5)


@on_a_gpu
def test_compiled_gradients_equal_the_oracles() -> None:
    mask = Documents(torch.tensor([4, 70, 150]), shared_prefix=4)
    shapes = inputs(4, 2, 150, 150, device="cuda", head_dim=32)
    tensors = [tensor.requires_grad_() for tensor in shapes]
    FlexAttention(4, 2, 32)(*tensors, mask).square().sum().backward()
    found = [tensor.grad for tensor in tensors]
    exact = torch.autograd.grad(oracle(*tensors, mask).square().sum(), tensors)
    # a shared key sums over 292 queries: what a sum may lose is a share of its own size
    for one, other in zip(found, exact, strict=True):
        largest = float(other.abs().max())
        torch.testing.assert_close(one.double(), other, rtol=0, atol=1e-5 * largest)


@on_a_gpu
def test_compiled_gives_zeros_to_a_query_without_keys() -> None:
    q, k, v = inputs(4, 2, 3, 9, torch.bfloat16, "cuda", head_dim=32)
    found = FlexAttention(4, 2, 32)(q, k, v, CausalCached(torch.tensor([4, -4])))
    assert found[0].abs().sum() > 0
    assert found[1].abs().max() == 0
