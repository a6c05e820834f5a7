"""The kernel that sdpa says it takes is the one that torch runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from attention_cases import CASES, inputs, oracle
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode

from plm_components.contracts import Full
from plm_components.errors import UnsupportedError
from plm_components.kernels.attention import sdpa
from plm_components.kernels.attention.sdpa import SDPAAttention

# torch's operators by the names of their kernels
RUN = {
    "_scaled_dot_product_flash_attention_for_cpu": "flash (cpu)",
    "_scaled_dot_product_flash_attention": "flash",
    "_scaled_dot_product_efficient_attention": "efficient",
    "_scaled_dot_product_cudnn_attention": "cudnn",
}


class Operators(TorchDispatchMode):
    """Remembers the names of what runs."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(
        self,
        function: Any,
        types: object,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        self.names.append(function.overloadpacket.__name__)
        return function(*args, **(kwargs or {}))


def _run(call: Callable[[], object]) -> str:
    with Operators() as operators:
        call()
    fused = [RUN[name] for name in operators.names if name in RUN]
    return fused[0] if fused else "math"


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize(("heads", "kv_heads"), [(4, 4), (4, 2)])
@pytest.mark.parametrize("case", CASES)
def test_what_is_named_is_what_runs(
    case: str, heads: int, kv_heads: int, dtype: torch.dtype, kernel_device: str
) -> None:
    queries, keys, mask = CASES[case]
    q, k, v = inputs(heads, kv_heads, queries, keys, dtype, kernel_device)
    part = SDPAAttention(heads, kv_heads, 8)
    assert part.backend(q, k, v, mask) == _run(lambda: part(q, k, v, mask))


def test_what_the_process_forbids_is_not_named(kernel_device: str) -> None:
    queries, keys, mask = CASES["causal"]
    q, k, v = inputs(4, 2, queries, keys, device=kernel_device)
    part = SDPAAttention(4, 2, 8)
    assert part.backend(q, k, v, mask) != "math"
    with sdpa_kernel(SDPBackend.MATH):
        assert part.backend(q, k, v, mask) == "math"
        assert _run(lambda: part(q, k, v, mask)) == "math"


def test_what_it_cannot_do_has_no_kernel() -> None:
    q, k, v = (x.to(torch.int32) for x in inputs(4, 2, 9, 9))
    with pytest.raises(UnsupportedError, match=r"cannot do torch\.int32"):
        SDPAAttention(4, 2, 8).backend(q, k, v, Full())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("case", ["full", "causal", "shared prefix", "ragged cache"])
def test_grouped_heads_that_no_fused_kernel_takes_are_folded(
    case: str, dtype: torch.dtype, kernel_device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    queries, keys, mask = CASES[case]
    q, k, v = inputs(4, 2, queries, keys, dtype, kernel_device)
    monkeypatch.setattr(sdpa, "_takes_no_groups", lambda q, allowed: True)
    found = SDPAAttention(4, 2, 8)(q, k, v, mask).double()
    limit = 2e-5 if dtype == torch.float32 else 4e-2
    torch.testing.assert_close(found, oracle(q, k, v, mask), rtol=0, atol=limit)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs cuda")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("case", CASES)
def test_on_a_gpu_every_case_has_a_fused_kernel_and_no_mask_meets_cudnn(
    case: str, dtype: torch.dtype
) -> None:
    queries, keys, mask = CASES[case]
    q, k, v = inputs(4, 2, queries, keys, dtype, "cuda")
    named = SDPAAttention(4, 2, 8).backend(q, k, v, mask)
    # an even cache decodes without a mask
    has_mask = case in ("documents", "shared prefix", "ragged cache", "ragged decode")
    assert named in (("efficient",) if has_mask else ("flash", "cudnn", "efficient"))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs cuda")
def test_on_a_gpu_a_hidden_key_stays_hidden_however_loud() -> None:
    # cuDNN would add -65504 to its score, and see it
    queries, keys, mask = CASES["documents"]
    q, k, v = inputs(4, 2, queries, keys, torch.bfloat16, "cuda")
    part = SDPAAttention(4, 2, 8)
    before = part(q, k, v, mask)
    k[:, :, 6:], v[:, :, 6:] = 1e6, 1e6
    assert torch.equal(part(q, k, v, mask)[:, :, :6], before[:, :, :6])


# torch 2.11 warns of a module of its own that its compiler imports
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    "case", ["full", "causal", "shared prefix", "ragged cache", "ragged decode", "even decode"]
)
@pytest.mark.parametrize(("heads", "kv_heads"), [(4, 4), (4, 2)])
def test_torch_compile_follows_it_without_a_break(
    case: str, heads: int, kv_heads: int, kernel_device: str
) -> None:
    queries, keys, mask = CASES[case]
    tensors = inputs(heads, kv_heads, queries, keys, device=kernel_device)
    part = SDPAAttention(heads, kv_heads, 8)
    expected = part(*tensors, mask)
    # every case is a first one
    torch._dynamo.reset()
    compiled = torch.compile(lambda q, k, v: part(q, k, v, mask), fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(*tensors), expected, rtol=0, atol=1e-6)
