"""Everything around Liger's kernels: weights, wiring, refusals. The kernels are untested here."""

from __future__ import annotations

import importlib.util
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor

from plm_components.contracts import Causal, CausalCached
from plm_components.decoder_blocks.prenorm_gqa_swiglu import PrenormGQASwiGLUBlock
from plm_components.decoders.llama import LlamaDecoder
from plm_components.errors import ContractError, UnsupportedError
from plm_components.kernels.attention.sdpa import SDPAAttention
from plm_components.testing import checks_for, conformance
from plm_liger_block import operators
from plm_liger_block.liger import LigerBlock

HEADS = {"num_heads": 4, "num_kv_heads": 2, "ffn_dim": 48}


def _definitions() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "liger_definitions", Path(__file__).with_name("definitions.py")
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def defined(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The kernels' documented definitions in their place."""
    definitions = _definitions()
    monkeypatch.setattr(operators, "_liger", lambda x: definitions)
    return definitions


def block(cls: type[Any], *, head_dim: int | None = None, seed: int = 0) -> Any:
    kernel = SDPAAttention(4, 2, head_dim or 8)
    part = cls(32, 0, **HEADS, head_dim=head_dim, attention=kernel)
    part.init_weights(torch.Generator().manual_seed(seed))
    return part


def decoder(cls: type[Any]) -> LlamaDecoder:
    built = LlamaDecoder(
        dim=32,
        num_layers=2,
        vocab_size=60,
        max_positions=96,
        block=lambda index: cls(32, index, **HEADS, attention=SDPAAttention(4, 2, 8)),
    )
    built.init_weights(torch.Generator().manual_seed(0))
    with torch.no_grad():
        for name, parameter in built.named_parameters():
            if "norm" in name:
                parameter += torch.linspace(-0.5, 0.5, len(parameter))
    return built


def run(decoder: LlamaDecoder, ids: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    positions = torch.arange(ids.shape[1]).expand(len(ids), -1)
    x_BLD = decoder.to(dtype).embed(ids)
    return decoder.logits(decoder(x_BLD, positions_BL=positions, mask=Causal()))


@pytest.mark.parametrize("head_dim", [None, 24])
def test_the_state_dict_is_the_plain_block_s(head_dim: int | None) -> None:
    fused, plain = (
        block(LigerBlock, head_dim=head_dim),
        block(PrenormGQASwiGLUBlock, head_dim=head_dim),
    )
    theirs, ours = plain.state_dict(), fused.state_dict()
    assert list(ours) == list(theirs)
    for name, tensor in theirs.items():
        assert torch.equal(ours[name], tensor), name
    fused.load_state_dict(block(PrenormGQASwiGLUBlock, head_dim=head_dim, seed=1).state_dict())


def test_a_spec_takes_the_same_options() -> None:
    ours, theirs = (
        inspect.signature(cls.__init__).parameters for cls in (LigerBlock, PrenormGQASwiGLUBlock)
    )
    assert dict(ours) == dict(theirs)


@pytest.mark.usefixtures("defined")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@torch.no_grad()
def test_by_definition_it_computes_what_the_plain_block_does(dtype: torch.dtype) -> None:
    ids = torch.randint(0, 60, (2, 20), generator=torch.Generator().manual_seed(0))
    expected, found = (run(decoder(cls), ids, dtype) for cls in (PrenormGQASwiGLUBlock, LigerBlock))
    # one bf16 rounding of the product in SwiGLU may differ
    tolerance = {torch.float32: 2e-5, torch.bfloat16: 2e-2}[dtype]
    scale = float(expected.abs().max())
    torch.testing.assert_close(found, expected, rtol=0, atol=tolerance * scale)


@pytest.mark.usefixtures("defined")
def test_by_definition_gradients_are_the_plain_block_s() -> None:
    ids = torch.randint(0, 60, (2, 20), generator=torch.Generator().manual_seed(0))
    gradients = []
    for cls in (PrenormGQASwiGLUBlock, LigerBlock):
        model = decoder(cls)
        run(model, ids).square().mean().backward()
        gradients.append({name: p.grad for name, p in model.named_parameters()})
    for name, expected in gradients[0].items():
        scale = float(expected.abs().max())
        torch.testing.assert_close(
            gradients[1][name], expected, rtol=0, atol=1e-4 * scale, msg=name
        )


@pytest.mark.usefixtures("defined")
@torch.no_grad()
def test_by_definition_a_ragged_cache_changes_nothing() -> None:
    model = decoder(LigerBlock)
    ids = torch.randint(0, 60, (2, 12), generator=torch.Generator().manual_seed(0))
    expected = run(model, ids)
    cache = model.new_cache(2, 14, torch.float32, "cpu")
    x_BLD, positions = model.embed(ids), torch.arange(12).expand(2, -1)
    model(x_BLD[:, :8], positions_BL=positions[:, :8], mask=Causal(), cache=cache)
    cache.truncate(torch.tensor([8, 5]))
    rows, where = torch.arange(2)[:, None], cache.lengths_B[:, None] + torch.arange(3)
    mask = CausalCached(cache.lengths_B)
    hidden = model(x_BLD[rows, where], positions_BL=where, mask=mask, cache=cache)
    torch.testing.assert_close(model.logits(hidden), expected[rows, where], rtol=0, atol=2e-5)


# of an installed plugin, and of a part that declares it
_NOT_ASKED = ("import_budget", "compiles_whole")
_ASKED = [one.name for one in checks_for("decoder_block") if one.name not in _NOT_ASKED]


@pytest.mark.parametrize("check", _ASKED)
@pytest.mark.usefixtures("defined")
def test_by_definition_it_conforms(check: str) -> None:
    """The class alone, without the requirements that keep it off this machine."""
    (result,) = conformance(LigerBlock, HEADS, kind="decoder_block", only=check)
    assert result.outcome == "passed", str(result)


def test_liger_is_called_as_it_is_documented(
    defined: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Gemma's casting is our norm's; in place a norm's gradient could be somebody else's."""
    calls: list[tuple[Any, ...]] = []

    def recorded(x: Tensor, weight: Tensor, *rest: Any) -> Tensor:
        calls.append(rest)
        return x

    monkeypatch.setattr(defined, "liger_rms_norm", recorded)
    operators.rms_norm(torch.ones(2, 3), torch.ones(3), 1e-5)
    assert calls == [(1e-5, 0.0, "gemma", False)]


@pytest.mark.parametrize("handed_back", [2, 4])
def test_both_forms_of_rope_s_answer_are_read(
    monkeypatch: pytest.MonkeyPatch, handed_back: int
) -> None:
    """Newer versions return the tables behind the turned queries and keys."""

    def liger_rope(*tensors: Tensor) -> tuple[Tensor, ...]:
        return tensors[:handed_back]

    module = ModuleType("newer")
    vars(module)["liger_rope"] = liger_rope
    monkeypatch.setattr(operators, "_liger", lambda x: module)
    q, k, tables = torch.ones(1), torch.zeros(1), (torch.ones(2), torch.ones(3))
    assert operators.rotate(q, k, tables) == (q, k)


def test_it_builds_on_meta_and_imports_no_kernel() -> None:
    with torch.device("meta"):
        part = block(LigerBlock)
    assert all(parameter.is_meta for parameter in part.parameters())
    assert "liger_kernel" not in sys.modules


def _norm(x: Tensor) -> Tensor:
    return operators.rms_norm(x, torch.ones(3), 1e-5)


def _rotary(x: Tensor) -> tuple[Tensor, Tensor]:
    return operators.rotate(x, x, (x, x))


def _swiglu(x: Tensor) -> Tensor:
    return operators.silu_mul(x, x)


@pytest.mark.parametrize("call", [_norm, _rotary, _swiglu])
def test_a_cpu_is_refused_in_words(call: Callable[[Tensor], Any]) -> None:
    with pytest.raises(UnsupportedError) as caught:
        call(torch.ones(2, 3))
    assert str(caught.value) == (
        "decoder_block/liger cannot run on cpu.\n"
        "  where:    decoder_block/liger, forward\n"
        "  expected: tensors on a CUDA device: Liger's kernels are Triton's\n"
        "  fix:      move the model to cuda, or set decoder.block.type=prenorm_gqa_swiglu: the "
        "same weights fit"
    )


def test_an_odd_head_is_refused() -> None:
    with pytest.raises(ContractError) as caught:
        block(LigerBlock, head_dim=7)
    assert str(caught.value) == (
        "4 heads of 7 channels in 32 cannot be turned.\n"
        "  where:    decoder_block/liger\n"
        "  expected: heads of an even number of channels, since rotary turns them in pairs\n"
        "  fix:      set num_heads to a divisor of dim, or head_dim to an even number"
    )
