"""A whole Qwen3 through ``decoder/llama`` with this block, against transformers'."""

from __future__ import annotations

import pytest
import torch
from torch import Generator, Tensor
from transformers import Qwen3Config, Qwen3ForCausalLM

from plm_components.contracts import Attention, Causal, CausalCached
from plm_components.decoders.llama import LlamaDecoder
from plm_components.errors import ContractError
from plm_components.kernels.attention.eager import EagerAttention
from plm_components.kernels.attention.sdpa import SDPAAttention
from plm_qwen3_block.keys import decoder_name, decoder_tensors
from plm_qwen3_block.qwen3 import Qwen3Block

VOCABULARY, LAYERS = 60, 3


def theirs(*, tied: bool = True, head_dim: int = 24) -> Qwen3ForCausalLM:
    """Small and random, its norms off one so that each of them shows."""
    config = Qwen3Config(
        vocab_size=VOCABULARY,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=LAYERS,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=head_dim,
        rms_norm_eps=1e-6,
        tie_word_embeddings=tied,
        max_position_embeddings=96,
        bos_token_id=None,
        eos_token_id=None,
        initializer_range=0.3,
        rope_parameters={"rope_type": "default", "rope_theta": 1_000_000.0},
    )
    torch.manual_seed(0)
    model = Qwen3ForCausalLM(config).eval()
    generator = Generator().manual_seed(1)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "norm" in name:
                parameter += 0.5 * torch.randn(parameter.shape, generator=generator)
    return model


def ours(
    attention: type[Attention] = SDPAAttention, *, tied: bool = True, head_dim: int = 24
) -> LlamaDecoder:
    def block(index: int) -> Qwen3Block:
        return Qwen3Block(
            32,
            index,
            num_heads=4,
            num_kv_heads=2,
            ffn_dim=48,
            head_dim=head_dim,
            attention=attention(4, 2, head_dim),
        )

    decoder = LlamaDecoder(
        dim=32,
        num_layers=LAYERS,
        vocab_size=VOCABULARY,
        max_positions=96,
        block=block,
        norm_eps=1e-6,
        rope_theta=1_000_000.0,
        tie_embeddings=tied,
    )
    model = theirs(tied=tied, head_dim=head_dim)
    decoder.load_state_dict(decoder_tensors(model.state_dict(), tied=tied), strict=True)
    return decoder.eval()


def words(rows: int = 2, length: int = 40) -> Tensor:
    return torch.randint(0, VOCABULARY, (rows, length), generator=Generator().manual_seed(0))


def logits(decoder: LlamaDecoder, ids: Tensor) -> Tensor:
    positions = torch.arange(ids.shape[1]).expand(len(ids), -1)
    return decoder.logits(decoder(decoder.embed(ids), positions_BL=positions, mask=Causal()))


def assert_equal_to_rounding(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=0, atol=2e-5 * float(expected.abs().max()))


@pytest.mark.parametrize("attention", [EagerAttention, SDPAAttention])
@pytest.mark.parametrize(("tied", "head_dim"), [(True, 24), (False, 8), (True, 6)])
@torch.no_grad()
def test_logits_equal_transformers(attention: type[Attention], tied: bool, head_dim: int) -> None:
    """Heads wider than the decoder, as wide, and narrower."""
    expected = theirs(tied=tied, head_dim=head_dim)(input_ids=words()).logits
    assert_equal_to_rounding(
        logits(ours(attention, tied=tied, head_dim=head_dim), words()), expected
    )


@torch.no_grad()
def test_cached_decoding_equals_transformers() -> None:
    """A prefill, rows cut to different lengths, then a few tokens and one at a time."""
    decoder, ids = ours(), words(rows=3, length=24)
    expected = theirs()(input_ids=ids).logits
    cache = decoder.new_cache(3, 30, torch.float32, "cpu")
    x_BLD, positions_BL = decoder.embed(ids), torch.arange(24).expand(3, -1)
    hidden = decoder(x_BLD[:, :12], positions_BL=positions_BL[:, :12], mask=Causal(), cache=cache)
    assert_equal_to_rounding(decoder.logits(hidden), expected[:, :12])
    cache.truncate(torch.tensor([12, 5, 8]))
    rows = torch.arange(3)[:, None]
    for num_new in (4, 1, 1):
        positions = cache.lengths_B[:, None] + torch.arange(num_new)
        mask = CausalCached(cache.lengths_B)
        hidden = decoder(x_BLD[rows, positions], positions_BL=positions, mask=mask, cache=cache)
        assert_equal_to_rounding(decoder.logits(hidden), expected[rows, positions])
    assert cache.lengths_B.tolist() == [18, 11, 14]


@torch.no_grad()
def test_bf16_is_no_further_from_fp32_than_transformers() -> None:
    ids = words(rows=8, length=90)
    exact = logits(ours(), ids)
    mine = logits(ours().to(torch.bfloat16), ids).float()
    other = theirs().to(torch.bfloat16)(input_ids=ids).logits.float()
    assert (mine - exact).square().mean() <= (other - exact).square().mean()


@pytest.mark.parametrize("norm", ["q_norm", "k_norm"])
@torch.no_grad()
def test_each_norm_matters(norm: str) -> None:
    decoder = ours()
    before = logits(decoder, words())
    getattr(decoder.layers[1], norm).weight[3] += 1
    assert float((logits(decoder, words()) - before).abs().max()) > 0.01


def test_qwen3_0_6b_counts_on_meta() -> None:
    def block(index: int) -> Qwen3Block:
        return Qwen3Block(
            1024,
            index,
            num_heads=16,
            num_kv_heads=8,
            ffn_dim=3072,
            attention=SDPAAttention(16, 8, 128),
        )

    with torch.device("meta"):
        decoder = LlamaDecoder(
            dim=1024, num_layers=28, vocab_size=151936, max_positions=40960, block=block
        )
        config = Qwen3Config(
            vocab_size=151936,
            hidden_size=1024,
            intermediate_size=3072,
            num_hidden_layers=28,
            num_attention_heads=16,
            num_key_value_heads=8,
            head_dim=128,
            tie_word_embeddings=True,
        )
        published = Qwen3ForCausalLM(config)
    assert sum(parameter.numel() for parameter in decoder.parameters()) == 596_049_920
    assert sum(parameter.numel() for parameter in published.parameters()) == 596_049_920


def test_a_tensor_that_qwen3_lacks_is_no_name() -> None:
    with pytest.raises(KeyError):
        decoder_name("model.layers.0.self_attn.q_proj_extra.weight")


def test_an_odd_head_is_refused() -> None:
    with pytest.raises(ContractError) as caught:
        Qwen3Block(
            32,
            0,
            num_heads=4,
            num_kv_heads=2,
            ffn_dim=48,
            head_dim=7,
            attention=SDPAAttention(4, 2, 7),
        )
    assert str(caught.value) == (
        "head_dim=7 gives no even number of channels a head.\n"
        "  where:    decoder_block/qwen3\n"
        "  expected: heads of an even number of channels, since rotary turns them in pairs\n"
        "  fix:      set head_dim to what the checkpoint has, such as 128"
    )
