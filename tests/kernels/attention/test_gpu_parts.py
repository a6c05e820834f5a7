"""Parts made of other people's CUDA kernels: what they pass on, and what they refuse."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from attention_cases import CASES, HEADS, inputs, oracle
from stand_ins import install
from torch import Tensor

from plm_components.contracts import Causal, CausalCached, Documents, Full
from plm_components.errors import ShapeError, UnavailableError, UnsupportedError
from plm_components.kernels.attention.flash_attn import FlashAttnAttention
from plm_components.kernels.attention.flash_attn_4 import FlashAttn4Attention
from plm_components.kernels.attention.imported import import_kernels
from plm_components.kernels.attention.xformers import XFormersAttention
from plm_components.testing.oracles import (
    attention_oracle,
    budget_fault,
    fast_fault,
    plain_attention,
    score_rounding,
)
from plm_components.zoo import default_zoo

PARTS = (XFormersAttention, FlashAttnAttention, FlashAttn4Attention)
NAMES = {
    "xformers": ("xformers>=0.0.34", XFormersAttention),
    "flash_attn": ("flash-attn>=2.5", FlashAttnAttention),
    "flash_attn_4": ("flash-attn-4", FlashAttn4Attention),
}
# a prefix that a document starts within, positions past the last document, an empty document
DOCUMENTS = {
    "starts within the prefix": Documents(torch.tensor([3, 5, 12]), shared_prefix=6),
    "ends early": Documents(torch.tensor([0, 5, 9])),
    "an empty document": Documents(torch.tensor([0, 5, 5, 12])),
}


@pytest.fixture(params=PARTS, ids=lambda part: part.__name__)
def part(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> type:
    """Each part, over stand-ins for its kernels."""
    found: type = request.param
    install(monkeypatch, found)
    return found


@pytest.mark.parametrize(("heads", "kv_heads"), HEADS)
@pytest.mark.parametrize("case", CASES)
def test_the_kernels_are_asked_for_what_the_mask_says(
    part: type, case: str, heads: int, kv_heads: int
) -> None:
    queries, keys, mask = CASES[case]
    q, k, v = inputs(heads, kv_heads, queries, keys, torch.float16)
    found = part(heads, kv_heads, 8)(q, k, v, mask)
    assert found.shape == q.shape
    assert found.dtype == torch.float16
    torch.testing.assert_close(found.double(), oracle(q, k, v, mask), rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize("case", DOCUMENTS)
def test_documents_of_every_kind(part: type, case: str) -> None:
    q, k, v = inputs(4, 2, 12, 12, torch.float16)
    found = part(4, 2, 8)(q, k, v, DOCUMENTS[case])
    allowed = DOCUMENTS[case].allowed(12, 12, device=torch.device("cpu"))[:, None]
    k, v = (x.double().repeat_interleave(2, 1) for x in (k, v))
    exact = torch.nn.functional.scaled_dot_product_attention(q.double(), k, v, attn_mask=allowed)
    torch.testing.assert_close(found.double(), exact, rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize("part_class", [FlashAttnAttention, FlashAttn4Attention])
@pytest.mark.parametrize("queries", [1, 3])
def test_a_query_without_keys_gets_zeros(
    part_class: type, queries: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, part_class)
    mask = CausalCached(torch.tensor([4, -4]))
    found = part_class(4, 2, 8)(*inputs(4, 2, queries, 4 + queries, torch.float16), mask)
    assert found[0].abs().sum() > 0
    assert found[1].abs().max() == 0


@pytest.mark.parametrize("part_class", [FlashAttnAttention, FlashAttn4Attention])
@pytest.mark.parametrize("case", ["full", "causal", "shared prefix", "ragged cache"])
def test_gradients_reach_every_key(
    part_class: type, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, part_class)
    queries, keys, mask = CASES[case]
    tensors = [x.requires_grad_() for x in inputs(4, 2, queries, keys, torch.float16)]
    found = torch.autograd.grad(part_class(4, 2, 8)(*tensors, mask).float().sum(), tensors)
    exact = torch.autograd.grad(oracle(*tensors, mask).sum(), tensors)
    for one, other in zip(found, exact, strict=True):
        torch.testing.assert_close(one, other, rtol=2e-2, atol=2e-2)


def test_the_blocks_are_made_once_a_mask(part: type, monkeypatch: pytest.MonkeyPatch) -> None:
    mask = CASES["shared prefix"][2]
    q, k, v = inputs(4, 2, 12, 12, torch.float16)
    part(4, 2, 8)(q, k, v, mask)
    # a second layer reads no lengths from the device
    monkeypatch.setattr(torch.Tensor, "tolist", lambda self: pytest.fail("read again"))
    blocks = sys.modules["plm_components.kernels.attention.packing"].pack
    address = sys.modules[part.__module__]._ADDRESS
    assert blocks(address, mask, q, k) is blocks(address, mask, q, k)


def test_shapes_on_meta(part: type) -> None:
    q, k, v = inputs(4, 2, 3, 9, torch.float16, "meta")
    found = part(4, 2, 8)(q, k, v, Full())
    assert found.is_meta
    assert found.shape == q.shape


def test_documents_are_square(part: type) -> None:
    with pytest.raises(ShapeError) as caught:
        part(4, 2, 8)(*inputs(4, 2, 3, 9, torch.float16), Documents(torch.tensor([0, 3])))
    assert caught.value.what == "A Documents mask over 3 queries and 9 keys."
    assert (
        caught.value.fix == "behind a cache pass CausalCached(lengths_B) instead of Documents(...)"
    )


@pytest.mark.parametrize(
    ("change", "asked"),
    [
        ({"dtype": torch.float32}, r"torch\.float32"),
        ({"head_dim": 12}, "head_dim 12"),
        ({"head_dim": 264}, "head_dim 264"),
    ],
)
def test_what_the_kernels_do_not_take_is_refused(
    part: type, change: dict[str, object], asked: str
) -> None:
    arguments = {"dtype": torch.float16, **change}
    with pytest.raises(UnsupportedError, match=f"cannot do {asked}"):
        part(4, 2, 8)(*inputs(4, 2, 9, 9, **arguments), Full())  # type: ignore[arg-type]


def test_xformers_has_no_gradients(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, XFormersAttention)
    q, k, v = inputs(4, 2, 9, 9, torch.float16)
    with pytest.raises(UnsupportedError) as caught:
        XFormersAttention(4, 2, 8)(q, k, v.requires_grad_(), Causal())
    assert str(caught.value) == (
        "attention/xformers cannot do gradients on cpu.\n"
        "  where:    attention/xformers\n"
        "  expected: backward on: meta\n"
        "  fix:      choose another attention part for this slot: attention=eager does everything"
    )


def test_xformers_refuses_a_query_without_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, XFormersAttention)
    mask = CausalCached(torch.tensor([4, -4]))
    with pytest.raises(UnsupportedError) as caught:
        XFormersAttention(4, 2, 8)(*inputs(4, 2, 3, 7, torch.float16), mask)
    assert str(caught.value) == (
        "attention/xformers cannot do a query that sees no key (a cache of length -4).\n"
        "  where:    attention/xformers\n"
        "  expected: lengths_B of 0 or more\n"
        "  fix:      choose another attention part for this slot: attention=eager does everything"
    )


def test_a_cache_longer_than_its_keys_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, XFormersAttention)
    mask = CausalCached(torch.tensor([4, 8]))
    with pytest.raises(ShapeError) as caught:
        XFormersAttention(4, 2, 8)(*inputs(4, 2, 3, 9, torch.float16), mask)
    assert str(caught.value) == (
        "3 queries behind a cache of 8, over 9 keys.\n"
        "  where:    attention/xformers\n"
        "  expected: at least 11 keys: the cache and the new ones\n"
        "  fix:      append this call's keys to the cache before attending"
    )


def test_xformers_says_why_it_has_no_operator(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, XFormersAttention)

    def refuse(*args: object, **kwargs: object) -> None:
        raise NotImplementedError("No operator found")

    monkeypatch.setattr(sys.modules["xformers.ops.fmha"], "memory_efficient_attention", refuse)
    with pytest.raises(UnsupportedError) as caught:
        XFormersAttention(4, 2, 8)(*inputs(4, 2, 9, 9, torch.float16), Full())
    assert caught.value.what == (
        "attention/xformers has no kernel for this call on this machine: No operator found"
    )


def test_xformers_without_its_library_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, XFormersAttention)
    monkeypatch.setattr(sys.modules["xformers"], "_has_cpp_library", False, raising=False)
    with pytest.raises(UnavailableError) as caught:
        XFormersAttention(4, 2, 8)
    assert str(caught.value) == (
        "attention/xformers is unavailable: the library that xformers brings does not load here.\n"
        "  where:    attention/xformers\n"
        "  expected: an xformers that was built for this CUDA (the wheel of 0.0.35: CUDA 12.8)\n"
        "  fix:      XFORMERS_MORE_DETAILS=1 python -m xformers.info tells why; install one that "
        "fits, or choose another attention part (plm list attention)"
    )


def test_flash_attn_4_has_no_gradients_before_hopper(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, FlashAttn4Attention)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device=None: (8, 6))
    q, k, v = inputs(4, 2, 9, 9, torch.float16)
    assert FlashAttn4Attention(4, 2, 8)(q, k, v, Full()).shape == q.shape
    with pytest.raises(UnsupportedError) as caught:
        FlashAttn4Attention(4, 2, 8)(q.requires_grad_(), k, v, Full())
    assert str(caught.value) == (
        "attention/flash_attn_4 cannot do gradients on this GPU.\n"
        "  where:    attention/flash_attn_4\n"
        "  expected: compute capability 9.0 or more\n"
        "  fix:      choose another attention part for this slot: attention=eager does everything"
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_distribution_that_does_not_import_says_so_when_built(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "flash_attn", None)
    monkeypatch.setitem(sys.modules, "xformers", None)
    with pytest.raises(UnavailableError) as caught:
        NAMES[name][1](4, 2, 8)
    assert caught.value.where == f"attention/{name}"
    assert f"attention/{name} is unavailable: importing " in caught.value.what
    assert "ModuleNotFoundError" in caught.value.what
    assert caught.value.fix == (
        "install one that fits, or choose another attention part (plm list attention)"
    )


def test_xformers_says_that_flash_attn_4_stands_in_its_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # as its wheel looks for FlashAttention 2: flash-attn-4 alone has cute under that name, in a
    # package here, so that an installed FlashAttention 2 is not found behind it
    (tmp_path / "flash_attn" / "cute").mkdir(parents=True)
    (tmp_path / "flash_attn" / "__init__.py").touch()
    package = tmp_path / "xformers" / "ops" / "fmha"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("import flash_attn.flash_attn_interface\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in [name for name in sys.modules if name.split(".")[0] in ("xformers", "flash_attn")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(UnavailableError) as caught:
        XFormersAttention(4, 2, 8)
    assert str(caught.value) == (
        "attention/xformers is unavailable: xformers takes flash-attn-4 for FlashAttention 2.\n"
        "  where:    attention/xformers\n"
        "  expected: flash-attn 2 beside flash-attn-4, or neither: both are called flash_attn\n"
        "  fix:      pip install flash-attn, or pip uninstall flash-attn-4"
    )
    for name in [name for name in sys.modules if name.split(".")[0] in ("xformers", "flash_attn")]:
        del sys.modules[name]


def test_a_warning_of_theirs_is_no_obstacle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "noisy_kernels.py").write_text(
        "import warnings\nwarnings.warn('old', DeprecationWarning)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    assert import_kernels("attention/noisy", "noisy_kernels").__name__ == "noisy_kernels"
    del sys.modules["noisy_kernels"]


@pytest.mark.parametrize("name", NAMES)
def test_a_listing_says_what_is_missing(name: str) -> None:
    entry = default_zoo().get("attention", name)
    requirement, part_class = NAMES[name]
    assert entry.component.requires == (requirement, "cuda")
    assert entry.component.target.endswith(f":{part_class.__name__}")
    if entry.status == "available":
        assert entry.reason == "needs cuda"
    else:
        assert entry.reason == f"needs {requirement}, which is not installed"
        with pytest.raises(UnavailableError, match="it needs "):
            entry.load()


def _usable(name: str) -> str:
    """Why a part cannot be tried on this machine; empty where it can."""
    entry = default_zoo().get("attention", name)
    if entry.status != "available":
        return str(entry.reason)
    return "" if torch.cuda.is_available() else "needs cuda"


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", NAMES)
def test_on_a_gpu_within_twice_the_oracles_error(name: str, case: str, dtype: torch.dtype) -> None:
    if reason := _usable(name):
        pytest.skip(reason)
    queries, keys, mask = CASES[case]
    q, k, v = inputs(4, 2, queries, keys, dtype, "cuda", head_dim=64)
    found = NAMES[name][1](4, 2, 64)(q, k, v, mask)
    exact, plain = attention_oracle(q, k, v, mask), plain_attention(q, k, v, mask)
    assert budget_fault(found, exact, plain, rounding=score_rounding(q, k)) is None


@pytest.mark.parametrize("case", ["full", "causal", "shared prefix", "ragged cache"])
@pytest.mark.parametrize("name", ["flash_attn", "flash_attn_4"])
def test_on_a_gpu_gradients_are_fast(name: str, case: str) -> None:
    if reason := _usable(name):
        pytest.skip(reason)
    queries, keys, mask = CASES[case]
    shapes = inputs(4, 2, queries, keys, torch.bfloat16, "cuda", head_dim=64)
    tensors = [tensor.requires_grad_() for tensor in shapes]
    weights = torch.linspace(-1, 1, tensors[0].numel(), device="cuda").view_as(tensors[0])

    def gradients(function: Callable[..., Tensor]) -> tuple[Tensor, ...]:
        return torch.autograd.grad((function(*tensors, mask) * weights).sum(), tensors)

    assert NAMES[name][1].support.gradient_precision == "fast"
    found, exact = gradients(NAMES[name][1](4, 2, 64)), gradients(attention_oracle)
    for one, other in zip(found, exact, strict=True):
        assert fast_fault(one, other) is None
