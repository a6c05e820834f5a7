"""The native decoder against transformers' Llama; its cache, masks, build on meta, gradients."""

from __future__ import annotations

import pytest
import torch
from torch import Generator, Tensor
from transformers import LlamaConfig, LlamaForCausalLM

from plm_components.contracts import Attention, Causal, CausalCached, Decoder, Documents, Mask
from plm_components.decoder_blocks.prenorm_gqa_swiglu import PrenormGQASwiGLUBlock
from plm_components.decoders.llama import LlamaDecoder
from plm_components.errors import ContractError
from plm_components.kernels.attention.eager import EagerAttention
from plm_components.kernels.attention.sdpa import SDPAAttention
from small_models import small_decoder

NAMES = {
    "model.": "",
    "self_attn.": "",
    "mlp.": "",
    "input_layernorm": "attention_norm",
    "post_attention_layernorm": "ffn_norm",
}


def ours_from(theirs: LlamaForCausalLM) -> dict[str, Tensor]:
    state = {}
    for name, tensor in theirs.state_dict().items():
        if name == "lm_head.weight" and theirs.config.tie_word_embeddings:
            continue
        for old, new in NAMES.items():
            name = name.replace(old, new)
        state[name] = tensor
    return state


def their_llama(*, tie: bool, factor: float, heads: int = 4, kv_heads: int = 2) -> LlamaForCausalLM:
    scaled = {
        "rope_type": "llama3",
        "factor": factor,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 16,
    }
    config = LlamaConfig(
        hidden_size=32,
        num_hidden_layers=2,
        vocab_size=60,
        num_attention_heads=heads,
        num_key_value_heads=kv_heads,
        head_dim=32 // heads,
        intermediate_size=48,
        rms_norm_eps=1e-5,
        tie_word_embeddings=tie,
        max_position_embeddings=96,
        bos_token_id=None,
        eos_token_id=None,
        initializer_range=0.3,
        rope_parameters={
            "rope_theta": 500000.0,
            **({"rope_type": "default"} if factor == 1 else scaled),
        },
    )
    torch.manual_seed(0)
    return LlamaForCausalLM(config).eval()


def words(rows: int = 2, length: int = 40, seed: int = 0) -> Tensor:
    return torch.randint(0, 60, (rows, length), generator=Generator().manual_seed(seed))


def positions_of(ids: Tensor) -> Tensor:
    return torch.arange(ids.shape[1]).expand(len(ids), -1)


def run(decoder: LlamaDecoder, ids: Tensor, mask: Mask | None = None) -> Tensor:
    x = decoder.embed(ids)
    hidden = decoder(x, positions_BL=positions_of(ids), mask=mask or Causal())
    return decoder.logits(hidden)


@pytest.mark.parametrize("tie", [True, False])
@pytest.mark.parametrize("factor", [1.0, 8.0, 32.0])
@pytest.mark.parametrize("kv_heads", [1, 2, 4])
@pytest.mark.parametrize("attention", [EagerAttention, SDPAAttention])
@torch.no_grad()
def test_logits_equal_transformers(
    tie: bool, factor: float, kv_heads: int, attention: type[Attention]
) -> None:
    theirs = their_llama(tie=tie, factor=factor, kv_heads=kv_heads)
    ours = small_decoder(
        attention,
        num_kv_heads=kv_heads,
        tie_embeddings=tie,
        rope_scale_factor=factor,
        rope_original_positions=16,
    )
    ours.load_state_dict(ours_from(theirs), strict=True)
    expected = theirs(input_ids=words()).logits
    scale = float(expected.abs().max())
    torch.testing.assert_close(run(ours, words()), expected, rtol=0, atol=2e-5 * scale)


@torch.no_grad()
def test_bf16_is_no_further_from_fp32_than_transformers() -> None:
    theirs = their_llama(tie=True, factor=8.0)
    ours = small_decoder(rope_scale_factor=8.0, rope_original_positions=16)
    ours.load_state_dict(ours_from(theirs))
    ids = words(rows=8, length=90)
    exact = run(ours, ids)
    mine = run(ours.to(torch.bfloat16), ids).float()
    other = theirs.to(torch.bfloat16)(input_ids=ids).logits.float()
    assert (mine - exact).square().mean() <= (other - exact).square().mean()


def test_it_is_a_decoder() -> None:
    decoder = small_decoder()
    assert isinstance(decoder, Decoder)
    assert (decoder.width, decoder.vocab_size, decoder.max_positions) == (32, 60, 96)


@pytest.mark.parametrize("attention", [EagerAttention, SDPAAttention])
@torch.no_grad()
def test_a_ragged_cache_changes_nothing(attention: type[Attention]) -> None:
    """Rows cut to different lengths go on, several at a time, then one by one."""
    decoder, ids = small_decoder(attention), words(rows=3, length=24)
    expected = run(decoder, ids)
    cache = decoder.new_cache(3, 30, torch.float32, "cpu")
    x = decoder.embed(ids)
    decoder(x[:, :12], positions_BL=positions_of(ids)[:, :12], mask=Causal(), cache=cache)
    assert cache.lengths_B.tolist() == [12, 12, 12]
    cache.truncate(torch.tensor([12, 5, 8]))
    for num_new in (4, 1, 1, 3, 1):
        positions = cache.lengths_B[:, None] + torch.arange(num_new)
        rows = torch.arange(3)[:, None]
        mask = CausalCached(cache.lengths_B)
        hidden = decoder(x[rows, positions], positions_BL=positions, mask=mask, cache=cache)
        found = decoder.logits(hidden)
        torch.testing.assert_close(found, expected[rows, positions], rtol=0, atol=2e-5)
    assert cache.lengths_B.tolist() == [22, 15, 18]


@torch.no_grad()
def test_rows_can_be_dropped_and_reordered() -> None:
    decoder, ids = small_decoder(), words(rows=3, length=10)
    expected = run(decoder, ids)
    cache = decoder.new_cache(3, 12, torch.float32, "cpu")
    x = decoder.embed(ids)
    decoder(x[:, :9], positions_BL=positions_of(ids)[:, :9], mask=Causal(), cache=cache)
    cache.truncate(torch.tensor([9, 2, 6]))
    rows = torch.tensor([2, 0])
    cache.select(rows)
    assert cache.lengths_B.tolist() == [6, 9]
    positions = cache.lengths_B[:, None]
    hidden = decoder(
        x[rows[:, None], positions],
        positions_BL=positions,
        mask=CausalCached(cache.lengths_B),
        cache=cache,
    )
    found = decoder.logits(hidden)[:, 0]
    torch.testing.assert_close(found, expected[rows, positions[:, 0]], rtol=0, atol=2e-5)


def test_a_cache_holds_exactly_the_request() -> None:
    cache = small_decoder().new_cache(3, 20, torch.bfloat16, "cpu")
    layers, keys_and_values, kv_heads, head_dim, bytes_each = 2, 2, 2, 8, 2
    assert cache.nbytes == layers * keys_and_values * 3 * kv_heads * 20 * head_dim * bytes_each


def test_truncating_never_lengthens() -> None:
    decoder = small_decoder()
    cache = decoder.new_cache(2, 8, torch.float32, "cpu")
    ids = words(length=5)
    with torch.no_grad():
        decoder(decoder.embed(ids), positions_BL=positions_of(ids), mask=Causal(), cache=cache)
    cache.truncate(7)
    assert cache.lengths_B.tolist() == [5, 5]
    cache.truncate(3)
    assert cache.lengths_B.tolist() == [3, 3]


@torch.no_grad()
def test_a_full_cache_says_so() -> None:
    decoder, ids = small_decoder(), words(length=9)
    cache = decoder.new_cache(2, 8, torch.float32, "cpu")
    with pytest.raises(ContractError) as caught:
        decoder(decoder.embed(ids), positions_BL=positions_of(ids), mask=Causal(), cache=cache)
    assert str(caught.value) == (
        "A cache of 8 positions cannot hold 9.\n"
        "  where:    decoder/llama, cache\n"
        "  expected: at most 8 positions a row\n"
        "  fix:      make the cache with max_len = prompt + max_new_tokens"
    )


@torch.no_grad()
def test_the_future_cannot_be_seen() -> None:
    decoder, ids = small_decoder(), words(length=20)
    before = run(decoder, ids)
    for cut in (1, 7, 19):
        other = torch.cat((ids[:, :cut], words(length=20 - cut, seed=cut)), dim=1)
        assert torch.equal(run(decoder, other)[:, :cut], before[:, :cut])
        assert not torch.equal(run(decoder, other)[:, cut:], before[:, cut:])


@torch.no_grad()
def test_packed_documents_equal_documents_alone() -> None:
    decoder, ids = small_decoder(), words(rows=1, length=20)
    positions = torch.cat([torch.arange(n) for n in (6, 1, 13)])[None]
    mask = Documents(torch.tensor([0, 6, 7, 20]))
    packed = decoder.logits(decoder(decoder.embed(ids), positions_BL=positions, mask=mask))
    alone = torch.cat([run(decoder, part) for part in ids.split([6, 1, 13], dim=1)], dim=1)
    torch.testing.assert_close(packed, alone, rtol=0, atol=2e-5)


@torch.no_grad()
def test_questions_that_share_a_head_equal_each_asked_alone() -> None:
    decoder, ids = small_decoder(), words(rows=1, length=20)
    head, questions = ids[:, :8], ids[:, 8:].split([5, 7], dim=1)
    positions = torch.cat([torch.arange(8), torch.arange(8, 13), torch.arange(8, 15)])[None]
    mask = Documents(torch.tensor([8, 13, 20]), shared_prefix=8)
    packed = decoder.logits(decoder(decoder.embed(ids), positions_BL=positions, mask=mask))
    alone = [run(decoder, torch.cat((head, one), dim=1))[:, 8:] for one in questions]
    torch.testing.assert_close(packed[:, 8:], torch.cat(alone, dim=1), rtol=0, atol=2e-5)


def test_built_on_meta_equals_built_directly() -> None:
    direct = small_decoder(rope_scale_factor=8.0)
    with torch.device("meta"):
        built = small_decoder(rope_scale_factor=8.0)
    assert all(parameter.is_meta for parameter in built.parameters())
    built.to_empty(device="cpu")
    for buffer in built.buffers():
        buffer.fill_(float("nan"))
    built.init_buffers()
    built.load_state_dict(direct.state_dict(), strict=True)
    with torch.no_grad():
        assert torch.equal(run(built, words()), run(direct, words()))


def test_random_weights_come_from_the_generator_alone() -> None:
    one, same, other = small_decoder(seed=3), small_decoder(seed=3), small_decoder(seed=4)
    for name, tensor in one.state_dict().items():
        assert torch.equal(tensor, same.state_dict()[name])
        assert "norm" in name or not torch.equal(tensor, other.state_dict()[name])
    deviation = float(one.embed_tokens.weight.detach().std())
    assert deviation == pytest.approx(32**-0.5, rel=0.05)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("tie", [True, False])
def test_gradients_reach_every_parameter(dtype: torch.dtype, tie: bool) -> None:
    decoder = small_decoder(tie_embeddings=tie).to(dtype)
    mask = Documents(torch.tensor([4, 9, 20]), shared_prefix=4)
    run(decoder, words(length=20), mask).float().square().mean().backward()
    for name, parameter in decoder.named_parameters():
        assert parameter.grad is not None, name
        assert bool(parameter.grad.isfinite().all()), name
        assert float(parameter.grad.abs().sum()) > 0, name


def test_a_tied_head_owns_nothing() -> None:
    tied, untied = small_decoder(), small_decoder(tie_embeddings=False)
    assert set(untied.state_dict()) - set(tied.state_dict()) == {"lm_head.weight"}
    assert sorted(tied.layers[0].state_dict()) == [
        "attention_norm.weight",
        "down_proj.weight",
        "ffn_norm.weight",
        "gate_proj.weight",
        "k_proj.weight",
        "o_proj.weight",
        "q_proj.weight",
        "up_proj.weight",
        "v_proj.weight",
    ]


@pytest.mark.parametrize(
    ("shape", "parameters"),
    [
        ((2048, 16, 32, 8, 64, 8192, True), 973_144_064 + 262_668_288),
        ((3072, 28, 24, 8, 128, 8192, True), 2_818_744_320 + 394_002_432),
        ((4096, 32, 32, 8, 128, 14336, False), 6_979_584_000 + 2 * 525_336_576),
    ],
)
def test_published_sizes_count_on_meta(  # the last norm, of dim channels, comes on top
    shape: tuple[int, int, int, int, int, int, bool], parameters: int
) -> None:
    dim, layers, heads, kv_heads, head_dim, ffn_dim, tie = shape
    with torch.device("meta"):
        decoder = LlamaDecoder(
            dim=dim,
            num_layers=layers,
            vocab_size=128256,
            max_positions=11520,
            block=lambda index: PrenormGQASwiGLUBlock(
                dim,
                index,
                num_heads=heads,
                num_kv_heads=kv_heads,
                ffn_dim=ffn_dim,
                attention=SDPAAttention(heads, kv_heads, head_dim),
            ),
            tie_embeddings=tie,
        )
    assert sum(parameter.numel() for parameter in decoder.parameters()) == parameters + dim


def test_blocks_must_share_a_head_size() -> None:
    def block(index: int) -> PrenormGQASwiGLUBlock:
        head_dim = 8 if index else 16
        return PrenormGQASwiGLUBlock(
            32,
            index,
            num_heads=2,
            num_kv_heads=2,
            ffn_dim=48,
            head_dim=head_dim,
            attention=SDPAAttention(2, 2, head_dim),
        )

    with pytest.raises(ContractError, match=r"2 blocks with head sizes \[8, 16\]"):
        LlamaDecoder(dim=32, num_layers=2, vocab_size=9, max_positions=9, block=block)


@pytest.mark.parametrize("num_layers", [0, -1, 10_001, 1_000_000_000])
def test_absurd_numbers_of_layers_are_refused_before_one_is_built(num_layers: int) -> None:
    def block(index: int) -> PrenormGQASwiGLUBlock:
        raise AssertionError(f"block {index} was built")

    with pytest.raises(ContractError) as caught:
        LlamaDecoder(dim=32, num_layers=num_layers, vocab_size=9, max_positions=9, block=block)
    assert str(caught.value) == (
        f"A decoder of {num_layers} layers cannot be built.\n"
        "  where:    decoder/llama, num_layers\n"
        "  expected: 1 to 10000 layers\n"
        "  fix:      set num_layers to what the checkpoint has, such as 16"
    )
