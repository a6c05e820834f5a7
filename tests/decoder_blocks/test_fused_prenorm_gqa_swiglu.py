"""The fused block against the plain one: one state dict, one function; joined weights that last.

``kernels=triton`` runs on the GPU, or on the CPU in Triton's interpreter.
"""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

import plm_components as plm
from kernel_exactness import rounding_of
from plm_components.contracts import Causal, CausalCached, Documents, Mask
from plm_components.decoder_blocks.fused_prenorm_gqa_swiglu import FusedPrenormGQASwiGLUBlock
from plm_components.decoder_blocks.prenorm_gqa_swiglu import PrenormGQASwiGLUBlock
from plm_components.decoders.llama_cache import LlamaCache
from plm_components.errors import ContractError, UnsupportedError
from plm_components.kernels.attention.eager import EagerAttention
from plm_components.kernels.rotary import HalfSplitRotary, RopeScaling
from plm_components.testing import conformance
from plm_components.testing.oracles import budget_fault
from plm_components.zoo import default_zoo
from plm_exports import contents, plm_spec, publish_tokenizer, random_variant
from small_specs import ask, tiny_spec

DIM, HEADS, KV_HEADS, FFN = 24, 4, 2, 20
KERNELS = ["auto", "torch", "triton"]


def block(cls: type[Any] = FusedPrenormGQASwiGLUBlock, *, seed: int = 0, **options: Any) -> Any:
    size = options.get("head_dim") or DIM // HEADS
    part = cls(
        DIM,
        0,
        num_heads=HEADS,
        num_kv_heads=KV_HEADS,
        ffn_dim=FFN,
        attention=EagerAttention(HEADS, KV_HEADS, size),
        **options,
    )
    part.init_weights(torch.Generator().manual_seed(seed))
    return part.eval()


def tables(batch: int, length: int, head_dim: int, start: int = 0) -> tuple[Tensor, Tensor]:
    positions = torch.arange(start, start + length).expand(batch, -1)
    return HalfSplitRotary(head_dim, 10_000.0, RopeScaling())(positions)


def run(part: Any, x: Tensor, mask: Mask | None = None, run_by: Any = None) -> Tensor:
    cos, sin = tables(*x.shape[:2], part.head_dim)
    run_by = part if run_by is None else run_by
    return run_by(x, (cos.to(x.device), sin.to(x.device)), mask or Causal())


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def joined(part: Any) -> bool:
    return (part.fused["q, k, v"], part.fused["gate, up"]) == ("one product", "one product")


def results(
    part: Any, x: Tensor, mask: Mask | None = None, run_by: Any = None
) -> dict[str, Tensor]:
    """The output, and the gradient of the input and of every parameter."""
    leaf = x.detach().clone().requires_grad_()
    out = run(part, leaf, mask, run_by)
    slope = noise(*out.shape, seed=9).bfloat16().to(out)
    names = [name for name, _ in part.named_parameters()]
    found = torch.autograd.grad(out, [leaf, *part.parameters()], slope)
    return {"output": out.detach(), **dict(zip(["input", *names], found, strict=True))}


def test_the_state_dict_and_the_parameters_are_the_plain_blocks() -> None:
    plain, fused = block(PrenormGQASwiGLUBlock), block()
    assert joined(fused)
    theirs = {name: tensor.shape for name, tensor in plain.state_dict().items()}
    assert list(fused.state_dict()) == list(theirs)
    assert {name: tensor.shape for name, tensor in fused.state_dict().items()} == theirs
    assert [n for n, _ in fused.named_parameters()] == [n for n, _ in plain.named_parameters()]
    # the same generator draws the same weights
    for name, tensor in fused.state_dict().items():
        assert torch.equal(tensor, plain.state_dict()[name])


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("head_dim", [None, 10])
def test_fp32_equals_the_plain_block_gradients_included(kernel_device, kernels, head_dim) -> None:
    plain = block(PrenormGQASwiGLUBlock, head_dim=head_dim).to(kernel_device)
    fused = block(kernels=kernels, seed=1, head_dim=head_dim).to(kernel_device)
    fused.load_state_dict(plain.state_dict())
    x = noise(2, 5, DIM).to(kernel_device)
    for mask in (Causal(), Documents(torch.tensor([0, 2, 5], device=kernel_device))):
        expected = results(plain, x, mask)
        for name, found in results(fused, x, mask).items():
            torch.testing.assert_close(found, expected[name], rtol=2e-5, atol=2e-5, msg=name)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("kernels", ["torch", "triton"])
def test_errors_are_within_twice_the_plain_blocks(kernel_device, kernels, dtype) -> None:
    plain = block(PrenormGQASwiGLUBlock).to(kernel_device, dtype)
    fused = block(kernels=kernels, seed=1).to(kernel_device, dtype)
    fused.load_state_dict(plain.state_dict())
    exact = copy.deepcopy(plain).double()
    x = noise(2, 7, DIM).to(kernel_device, dtype)
    found, own, true = results(fused, x), results(plain, x), results(exact, x.double())
    for name, result in found.items():
        fault = budget_fault(result, true[name], own[name], rounding=rounding_of(dtype))
        assert fault is None, f"{name}: {fault}"


@pytest.mark.parametrize("kernels", KERNELS)
def test_behind_a_cache_as_without(kernel_device, kernels) -> None:
    part = block(kernels=kernels).to(kernel_device)
    x = noise(2, 6, DIM).to(kernel_device)
    cache = LlamaCache([(KV_HEADS, part.head_dim)], 2, 6, x.dtype, kernel_device)
    steps = []
    for start, stop in ((0, 4), (4, 5), (5, 6)):
        rotary = tuple(
            table.to(kernel_device) for table in tables(2, stop - start, part.head_dim, start)
        )
        with torch.no_grad():
            mask = CausalCached(cache.lengths_B.clone())
            steps.append(part(x[:, start:stop], rotary, mask, cache.layers[0]))
        cache.advance(stop - start)
    torch.testing.assert_close(torch.cat(steps, 1), run(part, x).detach(), rtol=1e-5, atol=1e-5)


def moved_twice(part: Any) -> Any:
    return part.to(torch.float64).to(torch.float32)


def emptied_and_loaded(part: Any) -> Any:
    with torch.device("meta"):
        late = block()
    late.to_empty(device="cpu").init_buffers()
    late.load_state_dict(part.state_dict())
    return late


def assigned(part: Any) -> Any:
    with torch.device("meta"):
        late = block()
    late.load_state_dict({k: v.clone() for k, v in part.state_dict().items()}, assign=True)
    return late


def replaced_one_by_one(part: Any) -> Any:
    # as checkpoints are read: parameter after parameter, then the buffers
    late = block(seed=3)
    for name, tensor in part.state_dict().items():
        module, _, leaf = name.rpartition(".")
        late.get_submodule(module)._parameters[leaf] = nn.Parameter(tensor.clone())
    assert not joined(late)
    late.init_buffers()
    return late


def pickled(part: Any) -> Any:
    return pickle.loads(pickle.dumps(part))


WAYS = [moved_twice, emptied_and_loaded, assigned, replaced_one_by_one, copy.deepcopy, pickled]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_weights_stay_joined(way) -> None:
    part = block()
    before, x = {k: v.clone() for k, v in part.state_dict().items()}, noise(1, 4, DIM)
    expected = run(part, x)
    after = way(part)
    assert joined(after)
    assert "(q, k, v): one product" in repr(after)
    for name, tensor in after.state_dict().items():
        assert torch.equal(tensor, before[name])
        assert tensor.is_contiguous()
    torch.testing.assert_close(run(after, x), expected)


def test_saved_tensors_do_not_overlap(tmp_path) -> None:
    part = block()
    save_file(part.state_dict(), tmp_path / "block.safetensors")
    found = load_file(tmp_path / "block.safetensors")
    assert all(torch.equal(found[name], tensor) for name, tensor in part.state_dict().items())


def frees_a_storage(part: Any) -> None:
    part.k_proj.weight.data = part.k_proj.weight.data.clone()


def replaces_a_parameter(part: Any) -> None:
    part.k_proj.weight = nn.Parameter(part.k_proj.weight.detach().clone())


def replaces_a_layer(part: Any) -> None:
    class Doubled(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            return 2 * super().forward(x) - super().forward(x)

    layer = Doubled(DIM, KV_HEADS * part.head_dim, bias=False)
    layer.weight = part.k_proj.weight
    part.k_proj = layer


def listens_to_a_layer(part: Any) -> None:
    part.k_proj.register_forward_hook(lambda module, args, output: output + 0)


@pytest.mark.parametrize(
    "change",
    [frees_a_storage, replaces_a_parameter, replaces_a_layer, listens_to_a_layer],
    ids=lambda change: change.__name__,
)
def test_what_was_taken_apart_runs_one_by_one_and_says_so(change) -> None:
    part, x = block(), noise(1, 4, DIM)
    expected = results(part, x)
    change(part)
    assert part.fused["q, k, v"] == "3 products"
    assert part.fused["gate, up"] == "one product"
    assert "(q, k, v): 3 products, (gate, up): one product" in repr(part)
    for name, found in results(part, x).items():
        torch.testing.assert_close(found, expected[name], msg=name)
    with torch.no_grad():
        part.k_proj.weight.zero_()
    assert not torch.allclose(run(part, x), expected["output"])


def test_a_hook_on_a_norm_runs(kernel_device) -> None:
    part, heard = block(kernels="triton").to(kernel_device), []
    expected = run(part, noise(1, 4, DIM).to(kernel_device))
    for norm in (part.attention_norm, part.ffn_norm):
        norm.register_forward_hook(lambda module, args, output: heard.append(module))
    found = run(part, noise(1, 4, DIM).to(kernel_device))
    assert heard == [part.attention_norm, part.ffn_norm]
    torch.testing.assert_close(found, expected)


def test_an_optimizer_steps_as_on_the_plain_block() -> None:
    trained = []
    for cls in (PrenormGQASwiGLUBlock, FusedPrenormGQASwiGLUBlock):
        part = block(cls)
        optimizer = torch.optim.AdamW(part.parameters(), lr=0.01)
        for seed in range(3):
            optimizer.zero_grad()
            run(part, noise(2, 5, DIM, seed=seed)).square().mean().backward()
            nn.utils.clip_grad_norm_(part.parameters(), 0.1)
            optimizer.step()
        trained.append(part)
    assert joined(trained[1])
    for name, expected in trained[0].state_dict().items():
        torch.testing.assert_close(trained[1].state_dict()[name], expected, rtol=1e-4, atol=1e-5)


def test_only_what_is_trainable_gets_a_gradient() -> None:
    part = block()
    part.requires_grad_(False)
    part.v_proj.requires_grad_(True)
    run(part, noise(1, 4, DIM)).square().mean().backward()
    assert [name for name, p in part.named_parameters() if p.grad is not None] == ["v_proj.weight"]


def test_a_weight_changed_before_the_backward_pass_is_an_error() -> None:
    part = block()
    out = run(part, noise(1, 4, DIM).requires_grad_())
    with torch.no_grad():
        part.q_proj.weight.mul_(2)
    with pytest.raises(RuntimeError, match="modified inplace"):
        out.sum().backward()


# the compiler takes compiled kernels, and there are none in the interpreter
@pytest.mark.parametrize("kernels", KERNELS if torch.cuda.is_available() else ["auto", "torch"])
def test_under_torch_compile(kernel_device, kernels) -> None:
    part, x = block(kernels=kernels).to(kernel_device), noise(1, 4, DIM).to(kernel_device)
    compiled = torch.compile(part, backend="aot_eager", fullgraph=True)
    expected = results(part, x)
    for name, found in results(part, x, run_by=compiled).items():
        torch.testing.assert_close(found, expected[name], rtol=1e-4, atol=1e-5, msg=name)


def test_on_meta_shapes_are_known() -> None:
    with torch.device("meta"):
        part = block(kernels="triton")
        assert run(part, torch.empty(2, 3, DIM)).shape == (2, 3, DIM)
    assert part.fused["q, k, v"] == "3 products"


def test_the_repr_says_what_runs(kernel_device) -> None:
    part = block().to(kernel_device)
    by_itself = "triton" if kernel_device == "cuda" else "torch"
    assert part.extra_repr() == (
        "kernels='auto', (q, k, v): one product, (gate, up): one product, "
        f"(norms, rotary, swiglu): {by_itself} kernels"
    )
    assert block(kernels="triton").fused["norms, rotary, swiglu"] == "triton kernels"


def test_a_whole_model_from_files_answers_as_with_the_plain_block(tmp_path) -> None:
    plain = plm.assemble(tiny_spec(), init="random", seed=5)
    plain.save(tmp_path / "saved")
    weights = f"plm:{tmp_path / 'saved'}"
    spec = tiny_spec(weights=weights)
    spec["decoder"]["block"]["type"] = "fused_prenorm_gqa_swiglu"
    fused = plm.assemble(spec)
    assert all(joined(layer) for layer in fused.model.decoder.layers)
    question = "what moves the red circle"
    assert str(ask(fused, question, max_new_tokens=5)) == str(
        ask(plain, question, max_new_tokens=5)
    )


def test_a_whole_model_leaves_as_with_the_plain_block(tmp_path) -> None:
    tokenizer = publish_tokenizer(tmp_path / "tokenizer")
    for name in ("prenorm_gqa_swiglu", "fused_prenorm_gqa_swiglu"):
        variant = random_variant(plm_spec(tokenizer, decoder={"block": {"type": name}}))
        variant.export(tmp_path / name, format="hf")
    plain, fused = (contents(tmp_path / f"{way}prenorm_gqa_swiglu") for way in ("", "fused_"))
    assert fused == plain


def test_the_kit_passes_in_the_interpreter() -> None:
    # the kit's tensors are on the CPU
    if not torch.cuda.is_available():
        entry = default_zoo().get("decoder_block", "fused_prenorm_gqa_swiglu")
        options = {"num_heads": 4, "num_kv_heads": 2, "ffn_dim": 96, "kernels": "triton"}
        found = conformance(entry, options)
        assert [str(result) for result in found if result.outcome == "failed"] == []
        assert sum(result.outcome == "passed" for result in found) >= 10


@pytest.mark.parametrize(
    ("dim", "heads", "head_dim", "what"),
    [
        (12, 4, None, "dim=12 over 4 heads gives no even number of channels a head."),
        (25, 4, None, "dim=25 over 4 heads gives no even number of channels a head."),
        (24, 4, 7, "head_dim=7 gives no even number of channels a head."),
    ],
)
def test_odd_heads_are_refused(dim: int, heads: int, head_dim: int | None, what: str) -> None:
    size = head_dim or dim // heads
    with pytest.raises(ContractError) as caught:
        FusedPrenormGQASwiGLUBlock(
            dim,
            0,
            num_heads=heads,
            num_kv_heads=2,
            ffn_dim=20,
            head_dim=head_dim,
            attention=EagerAttention(heads, 2, size),
        )
    assert caught.value.what == what
    assert caught.value.where == "decoder_block/fused_prenorm_gqa_swiglu"
    assert caught.value.fix == "set num_heads to a divisor of dim, or head_dim to an even number"


def test_no_dtype_but_floats(kernel_device) -> None:
    part = block(kernels="triton").to(kernel_device)
    with pytest.raises(UnsupportedError, match=r"cannot take torch\.int64"):
        run(part, torch.zeros(1, 4, DIM, dtype=torch.int64, device=kernel_device))
