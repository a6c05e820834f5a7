"""Any transformers language model against itself, and what the rehearsal catches."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Generator, Tensor
from transformers import AutoModelForCausalLM

from plm_components.contracts import Causal, CausalCached, Decoder, Documents, Full
from plm_components.decoders import hf_calls, hf_masks, hf_rehearsal
from plm_components.decoders.hf import HFDecoder
from plm_components.errors import ContractError
from small_models import small_decoder

PLAIN: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "vocab_size": 60,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 48,
    "max_position_embeddings": 96,
    # large enough that a lost scale or cap shows in the logits
    "initializer_range": 0.3,
}
CAPPED = {"head_dim": 8, "query_pre_attn_scalar": 8, "sliding_window": 5}
CONFIGS: dict[str, dict[str, Any]] = {
    "qwen3": {"model_type": "qwen3", **PLAIN, "head_dim": 16, "tie_word_embeddings": True},
    "smollm2": {"model_type": "llama", **PLAIN, "rope_theta": 100000.0},
    "gpt2": {
        "model_type": "gpt2",
        "n_embd": 32,
        "n_layer": 3,
        "n_head": 4,
        "vocab_size": 60,
        "n_positions": 96,
        "initializer_range": 0.3,
    },
    "gemma2": {
        "model_type": "gemma2",
        **PLAIN,
        **CAPPED,
        "final_logit_softcapping": 5.0,
        "attn_logit_softcapping": 3.0,
    },
    "gemma3": {"model_type": "gemma3_text", **PLAIN, **CAPPED},
    "granite": {
        "model_type": "granite",
        **PLAIN,
        "logits_scaling": 4.0,
        "embedding_multiplier": 6.0,
        "residual_multiplier": 0.3,
        "attention_multiplier": 0.2,
    },
    "mistral": {"model_type": "mistral", **PLAIN, "sliding_window": 5},
    "cohere": {"model_type": "cohere", **PLAIN, "logit_scale": 0.3},
}


def built(name: str) -> HFDecoder:
    decoder = HFDecoder(config=CONFIGS[name])
    decoder.init_weights(Generator().manual_seed(0))
    return decoder


def words(rows: int = 2, length: int = 20, seed: int = 0) -> Tensor:
    return torch.randint(0, 60, (rows, length), generator=Generator().manual_seed(seed))


def run(decoder: HFDecoder, ids: Tensor) -> Tensor:
    positions = torch.arange(ids.shape[1]).expand(len(ids), -1)
    return decoder.logits(decoder(decoder.embed(ids), positions_BL=positions, mask=Causal()))


def close(found: Tensor, expected: Tensor) -> None:
    scale = float(expected.detach().abs().max())
    torch.testing.assert_close(found, expected, rtol=0, atol=2e-5 * scale)


@pytest.mark.parametrize("name", CONFIGS)
@torch.no_grad()
def test_logits_equal_transformers_eager(name: str) -> None:
    decoder = built(name)
    theirs = AutoModelForCausalLM.from_config(decoder.model.config, attn_implementation="eager")
    theirs.load_state_dict(decoder.model.state_dict())
    close(run(decoder, words()), theirs.eval()(input_ids=words()).logits)


@pytest.mark.parametrize("name", CONFIGS)
def test_it_is_a_decoder(name: str) -> None:
    decoder = built(name)
    assert isinstance(decoder, Decoder)
    assert (decoder.width, decoder.vocab_size, decoder.max_positions) == (32, 60, 96)
    assert decoder.embed(words()).shape == (2, 20, 32)


@pytest.mark.parametrize("name", CONFIGS)
@torch.no_grad()
def test_a_ragged_cache_changes_nothing(name: str) -> None:
    decoder, ids = built(name), words(rows=3)
    expected, x = run(decoder, ids), decoder.embed(ids)
    cache = decoder.new_cache(3, 24, torch.float32, "cpu")
    positions = torch.arange(12).expand(3, -1)
    decoder(x[:, :12], positions_BL=positions, mask=Causal(), cache=cache)
    cache.truncate(torch.tensor([12, 5, 8]))
    for num_new in (4, 1, 1):
        positions = cache.lengths_B[:, None] + torch.arange(num_new)
        rows = torch.arange(3)[:, None]
        mask = CausalCached(cache.lengths_B)
        hidden = decoder(x[rows, positions], positions_BL=positions, mask=mask, cache=cache)
        close(decoder.logits(hidden), expected[rows, positions])
    assert cache.lengths_B.tolist() == [18, 11, 14]


@pytest.mark.parametrize("name", ["qwen3", "gemma2", "gpt2"])
@torch.no_grad()
def test_an_even_batch_decodes_and_rows_can_be_dropped(name: str) -> None:
    decoder, ids = built(name), words(rows=3)
    expected, x = run(decoder, ids), decoder.embed(ids)
    cache = decoder.new_cache(3, 20, torch.float32, "cpu")
    positions = torch.arange(14).expand(3, -1)
    decoder(x[:, :14], positions_BL=positions, mask=Causal(), cache=cache)
    assert cache.nbytes > 0
    cache.select(torch.tensor([2, 0]))
    for at in (14, 15):
        positions = torch.full((2, 1), at)
        mask = CausalCached(cache.lengths_B)
        hidden = decoder(x[[2, 0], at : at + 1], positions_BL=positions, mask=mask, cache=cache)
        close(decoder.logits(hidden)[:, 0], expected[[2, 0], at])


@pytest.mark.parametrize("name", CONFIGS)
@torch.no_grad()
def test_packed_documents_equal_documents_alone(name: str) -> None:
    decoder, ids = built(name), words(rows=1)
    positions = torch.cat([torch.arange(n) for n in (7, 1, 12)])[None]
    mask = Documents(torch.tensor([0, 7, 8, 20]))
    packed = decoder.logits(decoder(decoder.embed(ids), positions_BL=positions, mask=mask))
    alone = torch.cat([run(decoder, part) for part in ids.split([7, 1, 12], dim=1)], dim=1)
    close(packed, alone)


@torch.no_grad()
def test_positions_that_jump_are_not_taken_for_documents() -> None:
    decoder, ids = built("qwen3"), words(rows=1)
    positions = torch.cat((torch.arange(10), torch.arange(10)))[None]
    hidden = decoder(decoder.embed(ids), positions_BL=positions, mask=Causal())
    other = torch.cat((words(rows=1, seed=1)[:, :1], ids[:, 1:]), dim=1)
    changed = decoder(decoder.embed(other), positions_BL=positions, mask=Causal())
    # the last word still sees the first, across the jump
    assert not torch.equal(hidden[:, -1], changed[:, -1])


@torch.no_grad()
def test_a_full_mask_is_honoured() -> None:
    decoder, ids = built("qwen3"), words(rows=1)
    positions = torch.arange(20)[None]
    before = decoder(decoder.embed(ids), positions_BL=positions, mask=Full())
    other = torch.cat((ids[:, :-1], (ids[:, -1:] + 1) % 60), dim=1)
    after = decoder(decoder.embed(other), positions_BL=positions, mask=Full())
    assert not torch.equal(before[:, 0], after[:, 0])


@pytest.mark.parametrize("name", ["qwen3", "gpt2", "gemma2"])
@torch.no_grad()
def test_built_on_meta_equals_built_directly(name: str) -> None:
    direct = built(name)
    with torch.device("meta"):
        remade = HFDecoder(config=CONFIGS[name])
    assert all(parameter.is_meta for parameter in remade.parameters())
    remade.to_empty(device="cpu")
    for buffer in remade.buffers():
        buffer.fill_(float("nan"))
    remade.init_buffers()
    remade.load_state_dict(direct.state_dict(), strict=True)
    assert torch.equal(run(remade, words()), run(direct, words()))


@torch.no_grad()
def test_init_buffers_leaves_loaded_weights_alone() -> None:
    decoder = built("gemma2")
    before = {name: tensor.clone() for name, tensor in decoder.state_dict().items()}
    decoder.init_buffers()
    assert all(torch.equal(before[name], now) for name, now in decoder.state_dict().items())


@torch.no_grad()
def test_a_cast_does_not_round_frequencies() -> None:
    decoder = built("qwen3")
    exact = {name: buffer.clone() for name, buffer in decoder.named_buffers()}
    decoder.to(torch.bfloat16)
    assert decoder.embed(words()).dtype == torch.bfloat16
    for name, buffer in decoder.named_buffers():
        assert torch.equal(buffer, exact[name]), name


def test_a_tied_weight_is_saved_once_and_stays_tied() -> None:
    decoder = built("qwen3")
    assert "model.lm_head.weight" not in decoder.state_dict()
    with torch.device("meta"):
        loaded = HFDecoder(config=CONFIGS["qwen3"])
    loaded.load_state_dict(decoder.state_dict(), strict=True, assign=True)
    assert loaded.model.lm_head.weight is loaded.model.model.embed_tokens.weight


def test_random_weights_come_from_the_generator_alone() -> None:
    torch.manual_seed(5)
    untouched = torch.get_rng_state()
    one, same = built("qwen3"), built("qwen3")
    other = HFDecoder(config=CONFIGS["qwen3"])
    other.init_weights(Generator().manual_seed(1))
    name = "model.model.layers.0.self_attn.q_proj.weight"
    assert torch.equal(one.state_dict()[name], same.state_dict()[name])
    assert not torch.equal(one.state_dict()[name], other.state_dict()[name])
    torch.set_rng_state(untouched)


def test_gradients_reach_every_parameter() -> None:
    decoder = built("granite")
    run(decoder, words()).square().mean().backward()
    assert [name for name, p in decoder.named_parameters() if p.grad is None] == []


def test_a_full_size_model_is_counted_without_memory() -> None:
    full = {
        "model_type": "qwen3",
        "hidden_size": 4096,
        "intermediate_size": 12288,
        "num_hidden_layers": 36,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "vocab_size": 151936,
        "max_position_embeddings": 40960,
    }
    with torch.device("meta"):
        decoder = HFDecoder(config=full)
    # the published Qwen3-8B
    assert sum(parameter.numel() for parameter in decoder.parameters()) == 8_190_735_360


def test_a_directory_gives_the_architecture(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(CONFIGS["qwen3"]))
    decoder = HFDecoder(path=str(tmp_path), max_positions=50)
    assert (decoder.width, decoder.max_positions) == (32, 50)
    assert decoder.model.config.model_type == "qwen3"


@pytest.mark.parametrize("given", [{}, {"path": "x", "config": {"model_type": "llama"}}])
def test_exactly_one_of_path_and_config(given: dict[str, Any]) -> None:
    word = "both" if given else "neither"
    with pytest.raises(ContractError) as caught:
        HFDecoder(**given)
    assert str(caught.value) == (
        f"decoder/hf got {word} path and config.\n"
        "  where:    decoder/hf\n"
        "  expected: exactly one: path (a directory or hub id) or config (inline)\n"
        "  fix:      set decoder.path=Qwen/Qwen3-0.6B, or "
        "decoder.config={model_type: qwen3, ...}"
    )


@pytest.mark.parametrize(
    ("config", "what", "fix"),
    [
        (
            {"model_type": "qwenn3"},
            "transformers knows no model_type 'qwenn3'.",
            "did you mean qwen3",
        ),
        ({}, "transformers knows no model_type None.", "set config.model_type"),
        (
            {"model_type": "qwen3", "hidden_sise": 3},
            "qwen3 has no configuration key 'hidden_sise'.",
            "did you mean hidden_size?",
        ),
        (
            {"model_type": "qwen3", "hidden_size": "wide"},
            "qwen3 refuses this configuration: ",
            "correct the key",
        ),
        (
            {"model_type": "t5"},
            "t5 is an encoder-decoder.",
            "choose a causal language model",
        ),
        (
            {"model_type": "siglip_vision_model"},
            "transformers has no causal language model for siglip_vision_model.",
            "choose a decoder-only language model",
        ),
    ],
)
def test_a_wrong_configuration_is_one_clear_error(
    config: dict[str, Any], what: str, fix: str
) -> None:
    with pytest.raises(ContractError) as caught:
        HFDecoder(config=config)
    assert caught.value.what.startswith(what)
    assert caught.value.fix.startswith(fix)


@pytest.mark.parametrize("max_positions", [0, -1])
def test_no_position_is_refused(max_positions: int) -> None:
    config = {"model_type": "gpt2", "n_embd": 32, "n_layer": 1, "n_head": 2, "vocab_size": 60}
    with pytest.raises(ContractError) as caught:
        HFDecoder(config=config, max_positions=max_positions)
    assert str(caught.value) == (
        f"A decoder of {max_positions} positions holds no token.\n"
        "  where:    decoder/hf, max_positions\n"
        "  expected: 1 or more, or null for what the configuration says\n"
        "  fix:      delete decoder.max_positions"
    )


def test_a_missing_directory_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="No configuration can be read from") as caught:
        HFDecoder(path=str(tmp_path))
    assert caught.value.where == "decoder/hf, path"


def test_sdpa_is_not_forced_on_a_model_with_soft_caps() -> None:
    # some versions of transformers refuse it, some build it and leave the caps out
    refused = "transformers cannot build gemma2|gemma2 cannot be used as a decoder"
    with pytest.raises(ContractError, match=refused):
        HFDecoder(config=CONFIGS["gemma2"], attention_implementation="sdpa")
    assert built("gemma2").model.config._attn_implementation == "eager"


def test_a_model_whose_layers_are_not_attention_is_refused() -> None:
    config = {"model_type": "mamba", "hidden_size": 32, "num_hidden_layers": 2, "vocab_size": 60}
    with pytest.raises(ContractError) as caught:
        HFDecoder(config=config)
    assert caught.value.fix == "choose a model whose layers are all attention"


@pytest.mark.parametrize("lost", ["logits_scaling", "final_logit_softcapping"])
def test_the_rehearsal_notices_a_lost_scale(lost: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the head's scales were unknown to us, as another model's may be."""
    monkeypatch.setattr(hf_rehearsal, "_PASSED", {})
    monkeypatch.setattr(hf_calls, "logits", lambda model, x: model.get_output_embeddings()(x))
    name = "granite" if lost == "logits_scaling" else "gemma2"
    with pytest.raises(ContractError) as caught:
        HFDecoder(config=CONFIGS[name])
    assert "embed, layers and head taken apart: logits differ by" in caught.value.what
    assert caught.value.expected == "logits(forward(embed(ids))) equal to the model's own logits"


def test_the_rehearsal_notices_a_lost_window(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hf_rehearsal, "_PASSED", {})
    everything = torch.ones(1, 1, 1, dtype=torch.bool)
    monkeypatch.setattr(hf_masks, "_near", lambda *arguments: everything)
    with pytest.raises(ContractError, match="taken apart: logits differ by"):
        HFDecoder(config=CONFIGS["mistral"])


def test_the_rehearsal_leaves_the_generators_of_gpus_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hf_rehearsal, "_PASSED", {})
    monkeypatch.setattr(torch.cuda, "manual_seed_all", lambda seed: pytest.fail("seeds every GPU"))
    assert HFDecoder(config=CONFIGS["gpt2"]).width == CONFIGS["gpt2"]["n_embd"]


def test_building_says_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    for name in CONFIGS:
        HFDecoder(config=CONFIGS[name])
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "")


@torch.no_grad()
def test_native_and_transformers_agree_on_one_llama() -> None:
    """The same weights in decoder/llama and decoder/hf."""
    native = small_decoder()
    config = {**CONFIGS["smollm2"], "num_hidden_layers": 2, "rope_theta": 500000.0}
    wrapped = HFDecoder(config={**config, "rms_norm_eps": 1e-5, "tie_word_embeddings": True})
    names = {"attention_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm"}
    state = {}
    for name, tensor in native.state_dict().items():
        for part in ("q_proj", "k_proj", "v_proj", "o_proj"):
            name = name.replace(part, f"self_attn.{part}")
        for part in ("gate_proj", "up_proj", "down_proj"):
            name = name.replace(part, f"mlp.{part}")
        for ours, theirs in names.items():
            name = name.replace(ours, theirs)
        state[f"model.model.{name}"] = tensor
    wrapped.load_state_dict(state, strict=True)
    positions = torch.arange(20).expand(2, -1)
    x = native.embed(words())
    expected = native.logits(native(x, positions_BL=positions, mask=Causal()))
    close(run(wrapped, words()), expected)


def test_a_decoder_is_built_in_bfloat16_though_its_rehearsal_is_fp32() -> None:
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    try:
        # a configuration that no other test has rehearsed
        decoder = HFDecoder(config={**CONFIGS["smollm2"], "rope_theta": 12345.0})
    finally:
        torch.set_default_dtype(before)
    assert {parameter.dtype for parameter in decoder.parameters()} == {torch.bfloat16}
