"""Features meet words: order, padding on either side, faults named by row."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM

from plm_components.contracts import Batch
from plm_components.errors import ContractError, ShapeError
from plm_components.model import PerceptionLM
from small_models import IMAGE_ID, VIDEO_ID, make_batch, one_row, small_decoder, small_model

ROWS = (
    (3, ("image", 1), 4),
    (("video", 2), 2, ("image", 1), 5),
    (7,),
    (1, ("image", 3), 1),
)


def logits_of(model: PerceptionLM, batch: Batch, **options: object) -> Tensor:
    return model(batch.input_ids_BL, batch.pixel_values, batch.attention_mask_BL, **options)


def flipped(batch: Batch) -> Batch:
    """The same rows, padded on the left."""
    width = batch.input_ids_BL.shape[1]
    ids, mask = torch.zeros_like(batch.input_ids_BL), torch.zeros_like(batch.input_ids_BL)
    for row, length in enumerate(batch.attention_mask_BL.sum(1).tolist()):
        ids[row, width - length :] = batch.input_ids_BL[row, :length]
        mask[row, width - length :] = 1
    return Batch(ids, mask, batch.pixel_values, batch.media)


@torch.no_grad()
def test_features_stand_where_media_tokens_stood_in_order() -> None:
    model, batch = small_model(), make_batch(ROWS)
    features = model.encode(batch.pixel_values)
    x = model.embed(batch.input_ids_BL, features)
    is_media = (batch.input_ids_BL == IMAGE_ID) | (batch.input_ids_BL == VIDEO_ID)
    assert torch.equal(x[is_media], features.flatten(0, 1))
    words = batch.input_ids_BL[~is_media]
    assert torch.equal(x[~is_media], model.decoder.embed(words[None])[0])


@torch.no_grad()
def test_logits_equal_transformers_llama_on_the_same_embeddings() -> None:
    """Transformers' language model over embeddings stitched here by hand, one row at a time."""
    config = LlamaConfig(
        hidden_size=32,
        num_hidden_layers=2,
        vocab_size=60,
        num_attention_heads=4,
        num_key_value_heads=2,
        intermediate_size=48,
        rms_norm_eps=1e-5,
        tie_word_embeddings=True,
        rope_parameters={"rope_type": "default", "rope_theta": 500000.0},
        bos_token_id=None,
        eos_token_id=None,
    )
    theirs, model, batch = LlamaForCausalLM(config).eval(), small_model(), make_batch(ROWS)
    names = {"model.": "", "self_attn.": "", "mlp.": "", "input_layernorm": "attention_norm"}
    names["post_attention_layernorm"] = "ffn_norm"
    state = {}
    for name, tensor in theirs.state_dict().items():
        for old, new in names.items():
            name = name.replace(old, new)
        state[name] = tensor
    state.pop("lm_head.weight")
    model.decoder.load_state_dict(state)
    found = logits_of(model, batch)
    for row in range(len(ROWS)):
        alone = one_row(batch, row)
        x = theirs.get_input_embeddings()(alone.input_ids_BL.clamp(max=59))
        if alone.pixel_values is not None:
            x[alone.input_ids_BL > 59] = model.encode(alone.pixel_values).flatten(0, 1)
        expected = theirs(inputs_embeds=x).logits[0]
        scale = float(expected.abs().max())
        torch.testing.assert_close(found[row, : len(expected)], expected, rtol=0, atol=2e-5 * scale)


@torch.no_grad()
def test_a_row_does_not_depend_on_its_batch() -> None:
    model, batch = small_model(), make_batch(ROWS)
    together = logits_of(model, batch)
    for row in range(len(ROWS)):
        alone = logits_of(model, one_row(batch, row))[0]
        torch.testing.assert_close(together[row, : len(alone)], alone, rtol=0, atol=2e-5)


@torch.no_grad()
def test_left_padding_gives_what_right_padding_gives() -> None:
    model, batch = small_model(), make_batch(ROWS)
    right, left = logits_of(model, batch), logits_of(model, flipped(batch))
    for row, length in enumerate(batch.attention_mask_BL.sum(1).tolist()):
        assert torch.equal(left[row, -length:], right[row, :length])


@torch.no_grad()
def test_logits_to_keep() -> None:
    model, batch = small_model(), flipped(make_batch(ROWS))
    everything = logits_of(model, batch)
    assert everything.shape == (*batch.input_ids_BL.shape, 60)
    torch.testing.assert_close(logits_of(model, batch, logits_to_keep=1), everything[:, -1:])
    torch.testing.assert_close(logits_of(model, batch, logits_to_keep=3), everything[:, -3:])
    chosen = torch.tensor([0, 5, 2])
    torch.testing.assert_close(
        logits_of(model, batch, logits_to_keep=chosen), everything[:, chosen]
    )


@torch.no_grad()
def test_features_may_be_given_instead_of_pixels() -> None:
    model, batch = small_model(), make_batch(ROWS)
    features = model.encode(batch.pixel_values)
    found = model(batch.input_ids_BL, None, batch.attention_mask_BL, features=features)
    assert torch.equal(found, logits_of(model, batch))
    with pytest.raises(ShapeError, match="Both pixel_values and features"):
        model(batch.input_ids_BL, batch.pixel_values, features=features)


@torch.no_grad()
def test_text_needs_no_media() -> None:
    model, batch = small_model(), make_batch([(7,), (3,)])
    assert logits_of(model, batch).shape == (2, 7, 60)


@torch.no_grad()
def test_bf16_takes_fp32_pixels() -> None:
    model, batch = small_model().to(torch.bfloat16), make_batch(ROWS)
    assert logits_of(model, batch).dtype == torch.bfloat16


def test_tokens_per_tile() -> None:
    model = small_model()
    assert model.tokens_per_tile() == 4
    assert model.tokens_per_tile(8, 16) == 8


def test_the_whole_builds_and_runs_on_meta() -> None:
    with torch.device("meta"):
        model, ids = small_model(), torch.full((2, 9), 3)
        ids[:, 2:6] = IMAGE_ID
        logits = model(ids, torch.empty(2, 3, 8, 8), torch.ones_like(ids))
    assert logits.shape == (2, 9, 60)
    assert logits.is_meta


def test_state_dict_prefixes() -> None:
    prefixes = {name.split(".")[0] for name in small_model().state_dict()}
    assert prefixes == {"vision_encoder", "projector", "decoder"}


def test_gradients_reach_every_part_through_frozen_embeddings() -> None:
    model, batch = small_model(), make_batch(ROWS)
    model.decoder.embed_tokens.requires_grad_(False)
    logits_of(model, batch).square().mean().backward()
    without = [name for name, p in model.named_parameters() if p.grad is None]
    assert without == ["decoder.embed_tokens.weight"]


def test_random_weights_fill_every_part() -> None:
    one, other = small_model(), small_model(seed=5)
    one.init_weights(torch.Generator().manual_seed(1))
    other.init_weights(torch.Generator().manual_seed(1))
    for name, tensor in one.state_dict().items():
        assert torch.equal(tensor, other.state_dict()[name]), name


def test_too_few_features_name_the_row() -> None:
    model, batch = small_model(), make_batch(ROWS)
    with pytest.raises(ShapeError) as caught:
        model(batch.input_ids_BL, batch.pixel_values[:3])
    assert str(caught.value) == (
        "Row 1 has 12 media tokens, which the features do not fill.\n"
        "  where:    PerceptionLM.embed, row 1 of input_ids\n"
        "  expected: 3 tiles of 4 features = 12 media tokens in all; "
        "the rows have [4, 12, 0, 12]\n"
        "  fix:      pass pixel_values of every medium of the batch, in order, "
        "and do not cut a prompt inside its media"
    )


@pytest.mark.parametrize(
    ("tiles", "cut", "row"),
    [(9, None, 3), (7, (0, 4), 0), (0, None, 0)],
    ids=["too many", "cut inside a tile", "none at all"],
)
def test_other_mismatches_name_a_row(tiles: int, cut: tuple[int, int] | None, row: int) -> None:
    model, batch = small_model(), make_batch(ROWS)
    ids = batch.input_ids_BL.clone()
    if cut is not None:
        ids[cut] = 1
    pixels = torch.randn(tiles, 3, 8, 8) if tiles else None
    with pytest.raises(ShapeError) as caught:
        model(ids, pixels)
    assert caught.value.where == f"PerceptionLM.embed, row {row} of input_ids"


def test_features_of_another_width_are_refused() -> None:
    model, batch = small_model(), make_batch(ROWS)
    with pytest.raises(ShapeError, match="for embeddings of 32 channels"):
        model(batch.input_ids_BL, features=torch.randn(7, 4, 16))


def test_a_mask_with_a_hole_is_refused() -> None:
    model, ids = small_model(), torch.ones(2, 5, dtype=torch.long)
    mask = torch.tensor([[0, 1, 1, 1, 0], [1, 1, 0, 1, 1]])
    with pytest.raises(ShapeError) as caught:
        model(ids, attention_mask=mask)
    assert caught.value.what == "attention_mask has a hole in row 1."
    assert caught.value.fix == "pad each row on one side only"
    with pytest.raises(ShapeError, match=r"attention_mask is \(2, 4\), input_ids \(2, 5\)"):
        model(ids, attention_mask=mask[:, :4])


def test_more_positions_than_the_decoder_has() -> None:
    model = small_model(small_decoder(max_positions=8))
    with pytest.raises(ContractError) as caught:
        model(torch.ones(1, 9, dtype=torch.long))
    assert caught.value.what == "9 positions, and the decoder has 8."
    assert "raise decoder.max_positions" in caught.value.fix


@torch.no_grad()
def test_positions_in_the_cache_count() -> None:
    model = small_model(small_decoder(max_positions=8))
    ids = make_batch([(7,)]).input_ids_BL
    cache = model.decoder.new_cache(1, 16, torch.float32, "cpu")
    model.hidden(ids[:, :5], cache=cache)
    model.hidden(ids[:, :3], cache=cache)
    with pytest.raises(ContractError) as caught:
        model.hidden(ids[:, :1], cache=cache)
    assert str(caught.value) == (
        "9 positions, and the decoder has 8.\n"
        "  where:    PerceptionLM.hidden, input_ids\n"
        "  expected: at most 8 positions, those in the cache included\n"
        "  fix:      use fewer tiles or frames, a shorter text, or raise decoder.max_positions"
    )
