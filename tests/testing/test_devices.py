"""The kit on another device than the CPU.

torch's own lazy device stands in for an accelerator: it computes with the CPU's numbers, and
refuses a tensor of the CPU as CUDA does. Where there is CUDA, the whole zoo is run there by
``pytest --plm-conformance plm-components --plm-device cuda``.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import pytest
import torch
import torch._lazy.ts_backend
from torch import Tensor
from transformers.models.qwen3 import modeling_qwen3

from plm_components.contracts import Causal, CausalCached, Documents, Full, Grid, Mask
from plm_components.decoder_blocks.prenorm_gqa_swiglu import PrenormGQASwiGLUBlock
from plm_components.errors import UnsupportedError, UsageError
from plm_components.kernels.attention.eager import EagerAttention
from plm_components.kernels.attention.sdpa import SDPAAttention
from plm_components.kernels.pooling.mean import MeanPooling
from plm_components.projectors.avg_pool_mlp import AvgPoolMLPProjector
from plm_components.projectors.linear import LinearProjector
from plm_components.testing import CheckResult, conformance, validate
from plm_components.testing.devices import full_precision
from plm_components.zoo import Component, default_zoo

_start = cache(torch._lazy.ts_backend.init)


def _sliced(tensor: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    step = -(-tensor.shape[dim] // chunks)
    return tuple(tensor.narrow(dim, at, step) for at in range(0, tensor.shape[dim], step))


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> str:
    """A device that our plain kernels declare as if it were CUDA."""
    _start()
    # what the lazy device makes of a chunk it does not know again as its own
    monkeypatch.setattr(Tensor, "chunk", _sliced)
    # nor does torch's tracer know it
    for cls in (EagerAttention, MeanPooling, AvgPoolMLPProjector, PrenormGQASwiGLUBlock):
        monkeypatch.setattr(cls, "compiles", False)
    for kernel in (EagerAttention, SDPAAttention):
        own = kernel.support
        wider = replace(own, devices=own.devices | {"lazy"}, backward=own.backward | {"lazy"})
        monkeypatch.setattr(kernel, "support", wider)
    return "lazy"


class PlainElsewhere(EagerAttention):
    """One dtype of it: ``(B,H,L,h), (B,G,S,h), (B,G,S,h)`` -> ``(B,H,L,h)``."""

    support = replace(
        EagerAttention.support,
        dtypes=frozenset({torch.float32}),
        devices=frozenset({"lazy", "meta"}),
        backward=frozenset({"lazy"}),
        gqa=False,
    )


def _not_passed(results: list[CheckResult]) -> list[str]:
    """Without what a class that no plugin registers, and a device without a tracer, have not."""
    left_out = ("import_budget", "compiles_whole")
    return [str(one) for one in results if one.outcome != "passed" and one.check not in left_out]


@pytest.mark.parametrize(
    "address", ["projector/avg_pool_mlp", "decoder_block/prenorm_gqa_swiglu", "pooling/mean"]
)
def test_what_is_right_here_is_right_elsewhere(elsewhere: str, address: str) -> None:
    entry = default_zoo().get(*address.split("/"))
    results = conformance(entry, device=elsewhere)
    assert _not_passed(results) == []


@pytest.mark.parametrize(
    ("kind", "name", "options"),
    [
        (
            "decoder",
            "hf",
            {
                "model_type": "qwen3",
                "hidden_size": 32,
                "intermediate_size": 48,
                "num_hidden_layers": 1,
                "num_attention_heads": 2,
                "num_key_value_heads": 1,
                "head_dim": 16,
                "vocab_size": 97,
                "max_position_embeddings": 64,
            },
        ),
        (
            "vision_encoder",
            "hf",
            {
                "model_type": "siglip_vision_model",
                "image_size": 16,
                "patch_size": 4,
                "hidden_size": 32,
                "intermediate_size": 48,
                "num_hidden_layers": 1,
                "num_attention_heads": 2,
            },
        ),
    ],
)
def test_transformers_parts_are_asked_elsewhere_too(
    elsewhere: str, kind: str, name: str, options: dict[str, Any]
) -> None:
    if name == "hf" and kind == "decoder" and hasattr(modeling_qwen3, "maybe_autocast"):
        pytest.skip("this transformers asks torch for autocast, which the lazy device has not")
    results = conformance(default_zoo().get(kind, name), {"config": options}, device=elsewhere)
    assert _not_passed(results) == []


def test_an_attention_part_for_one_device_is_asked_there_and_only_there(elsewhere: str) -> None:
    there = conformance(PlainElsewhere, kind="attention", device=elsewhere)
    assert _not_passed(there) == []
    here = conformance(PlainElsewhere, kind="attention", only="agrees_with_float64")
    assert [(one.outcome, one.detail) for one in here] == [
        ("skipped", "runs on lazy, meta, not on the cpu of these checks")
    ]


class TakesTheCPU(PlainElsewhere):
    """As ever, and computes what it does not declare: ``(B,H,L,h)`` -> ``(B,H,L,h)``."""

    def __call__(self, q_BHLh: Tensor, k_BGSh: Tensor, v_BGSh: Tensor, mask: Mask) -> Tensor:
        plain = EagerAttention(self.num_heads, self.num_kv_heads, self.head_dim)
        return (plain if q_BHLh.device.type == "cpu" else super()).__call__(
            q_BHLh, k_BGSh, v_BGSh, mask
        )


def test_a_kernel_for_another_device_refuses_the_cpu(elsewhere: str) -> None:
    results = conformance(TakesTheCPU, kind="attention", device=elsewhere)
    failed = [(one.check, one.detail) for one in results if one.outcome == "failed"]
    assert failed == [("refuses_the_rest", "device cpu is not declared, and not refused")]


def test_a_block_is_not_blamed_for_the_attention_in_it(elsewhere: str) -> None:
    zoo = default_zoo().copy()
    zoo.add(Component("attention", "only_there", f"{__name__}:PlainElsewhere"))
    block = zoo.get("decoder_block", "prenorm_gqa_swiglu")
    options = {"num_heads": 4, "num_kv_heads": 4, "ffn_dim": 96, "attention": "only_there"}
    (here,) = conformance(block, options, zoo=zoo, only="causal")
    assert here.outcome == "skipped"
    told = "attention/only_there in it runs on lazy, meta, not on the cpu of these checks"
    assert here.detail == told
    (there,) = conformance(block, options, zoo=zoo, only="causal", device=elsewhere)
    assert there.outcome == "passed", there.detail


class LeavesItsDevice(LinearProjector):
    """Adds a tensor made on the CPU: (B, h*w, C) -> (B, M, D)."""

    def forward(self, tokens_BNC: Tensor, grid: Grid) -> Tensor:
        out_BMD = super().forward(tokens_BNC, grid)
        return out_BMD + torch.zeros(out_BMD.shape[-1])


def test_a_tensor_made_on_the_cpu_is_found_elsewhere(elsewhere: str) -> None:
    here = conformance(LeavesItsDevice, kind="projector", only="deterministic")
    there = conformance(LeavesItsDevice, kind="projector", only="deterministic", device=elsewhere)
    assert [one.outcome for one in (*here, *there)] == ["passed", "failed"]
    assert "lazy" in there[0].detail


class Refuses(LinearProjector):
    """Needs a device: (B, h*w, C) -> (B, M, D)."""

    def forward(self, tokens_BNC: Tensor, grid: Grid) -> Tensor:
        raise UnsupportedError("Not here.", where="here", expected="cuda", fix="move it")


def test_a_part_that_names_its_device_is_not_asked_on_another(
    elsewhere: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # as on a machine that has the device
    monkeypatch.setattr("plm_components.zoo.entry.missing_device", lambda requires: None)
    zoo = default_zoo().copy()
    entry = zoo.add(Component("projector", "fast", f"{__name__}:Refuses", requires=("cuda>=8",)))
    (there,) = conformance(entry, zoo=zoo, only="deterministic", device=elsewhere)
    assert (there.outcome, there.detail) == (
        "skipped",
        "needs cuda>=8, and these checks run on the lazy: Not here.",
    )


def test_what_always_works_on_the_cpu_is_not_asked_elsewhere(elsewhere: str) -> None:
    zoo = default_zoo()
    results = conformance(zoo.get("video_sampler", "fps"), device=elsewhere)
    assert {(one.outcome, one.detail) for one in results} == {
        ("skipped", "a video_sampler runs on the cpu, wherever the model is")
    }
    with pytest.raises(UsageError) as caught:
        validate("video_sampler", device=elsewhere)
    assert caught.value.what == "Nothing that was named runs on lazy, only on the cpu."
    assert caught.value.where.startswith("video_sampler, ")


def test_a_validation_says_where_it_was_made(elsewhere: str) -> None:
    validation = validate("pooling/mean", device=elsewhere)
    assert validation.ok
    assert validation.to_dict()["device"] == "lazy"


@pytest.mark.parametrize("name", ["meta", "nonsense", "cuda:99"])
def test_a_device_that_is_not_there_is_a_usage_error(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        validate("pooling/mean", device=name)
    assert caught.value.what.startswith(f"The checks cannot run on '{name}': ")
    assert caught.value.fix == ("leave it out to check on the cpu, or run this where the device is")


def test_a_mask_moves_with_the_tensors_it_is_for() -> None:
    _start()
    from plm_components.testing.checks.attention import CALLS

    moved = [call.on("lazy").mask for call in CALLS]
    assert {type(mask) for mask in moved} == {Full, Causal, Documents, CausalCached}
    for mask in moved:
        assert all(one.device.type == "lazy" for one in vars(mask).values() if torch.is_tensor(one))


def test_the_kit_leaves_generators_and_precision_as_they_were() -> None:
    before = torch.get_rng_state(), torch.backends.cudnn.allow_tf32
    conformance(default_zoo().get("pooling", "mean"))
    with full_precision():
        assert not torch.backends.cudnn.allow_tf32
    assert torch.equal(torch.get_rng_state(), before[0])
    assert torch.backends.cudnn.allow_tf32 == before[1]
