"""Generation against the slow way: no cache, no batch, all logits every step."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Generator

from plm_components.contracts import Batch
from plm_components.decoders.hf import HFDecoder
from plm_components.errors import ContractError, ShapeError, UsageError
from plm_components.inference import generate
from plm_components.model import PerceptionLM
from small_models import (
    IMAGE_ID,
    MatrixProjector,
    PatchEncoder,
    make_batch,
    one_row,
    small_decoder,
    small_model,
)

ROWS = (
    (3, ("image", 1), 4),
    (("video", 2), 2, ("image", 1), 5),
    (7,),
    (1, ("image", 3), 1),
    (2,),
)
DECODERS = ("llama", "qwen3", "gemma2", "gpt2")


def model_with(decoder: str) -> PerceptionLM:
    if decoder == "llama":
        return small_model(seed=1)
    config: dict[str, Any] = {
        "model_type": decoder,
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "vocab_size": 60,
        "max_position_embeddings": 96,
        "initializer_range": 0.3,
    }
    if decoder != "gpt2":
        config |= {"num_key_value_heads": 2, "intermediate_size": 48, "head_dim": 8}
    if decoder == "gemma2":
        config |= {"sliding_window": 5}
    part = HFDecoder(config=config)
    part.init_weights(Generator().manual_seed(1))
    return small_model(part.eval(), seed=1)


@torch.no_grad()
def slowly(model: PerceptionLM, batch: Batch, max_new_tokens: int, stops: list[int]) -> list[int]:
    """One row, everything computed anew for every id."""
    ids, answer = batch.input_ids_BL, []
    for _ in range(max_new_tokens):
        best = int(model(ids, batch.pixel_values)[0, -1].argmax())
        if best in stops:
            break
        answer.append(best)
        ids = torch.cat((ids, torch.tensor([[best]])), dim=1)
    return answer


def quickly(model: PerceptionLM, batch: Batch, **options: Any) -> list[list[int]]:
    options = {"max_new_tokens": 12, "stop_ids": [], "pad_id": 0} | options
    steps = list(generate(model, batch, **options))
    rows = torch.stack(steps, dim=1).tolist() if steps else [[] for _ in batch.input_ids_BL]
    # a row that has stopped never speaks again
    for row in rows:
        spoken = [token >= 0 for token in row]
        assert spoken == sorted(spoken, reverse=True)
    return [[token for token in row if token >= 0] for row in rows]


@pytest.mark.parametrize("decoder", DECODERS)
def test_a_ragged_batch_equals_each_row_slowly(decoder: str) -> None:
    model, batch = model_with(decoder), make_batch(ROWS)
    expected = [slowly(model, one_row(batch, row), 12, []) for row in range(len(ROWS))]
    assert quickly(model, batch) == expected


def test_rows_that_stop_at_different_steps_do_not_disturb_the_others() -> None:
    model, batch = small_model(seed=1), make_batch(ROWS)
    free = [slowly(model, one_row(batch, row), 12, []) for row in range(len(ROWS))]
    # the first id of row 2, the fourth of row 0, the last of row 1
    stops = [free[2][0], free[0][3], free[1][-1]]
    expected = [slowly(model, one_row(batch, row), 12, stops) for row in range(len(ROWS))]
    assert expected[2] == []
    assert len({len(answer) for answer in expected}) > 2
    assert quickly(model, batch, stop_ids=stops) == expected


def test_the_very_first_id_can_stop_everything() -> None:
    model, batch = small_model(seed=1), make_batch([(7,)])
    first = slowly(model, batch, 1, [])
    assert list(generate(model, batch, max_new_tokens=5, stop_ids=first, pad_id=0)) == []


def model_that_favours(token: int, *, bias: float) -> PerceptionLM:
    """The token is a media token within the table, and its logit is moved by ``bias``."""
    model = PerceptionLM(
        PatchEncoder(),
        MatrixProjector(),
        small_decoder(seed=1),
        media_token_ids=(IMAGE_ID, token),
    ).eval()
    plain = model.decoder.logits

    def rigged(hidden: torch.Tensor) -> torch.Tensor:
        logits = plain(hidden).clone()
        logits[..., token] += bias
        return logits

    model.decoder.logits = rigged  # type: ignore[method-assign]
    return model


def test_a_media_token_is_never_said_however_likely() -> None:
    batch = make_batch([(3,), (7,)], vocab_size=59)
    avoids = model_that_favours(59, bias=-1000.0)
    expected = [slowly(avoids, one_row(batch, row), 12, []) for row in range(2)]
    assert quickly(model_that_favours(59, bias=1000.0), batch) == expected


@pytest.mark.parametrize("top_p", [None, 0.5])
def test_a_media_token_is_never_sampled_however_likely(top_p: float | None) -> None:
    batch, generator = make_batch([(3,), (7,)], vocab_size=59), Generator().manual_seed(0)
    options = {"temperature": 2.0, "top_p": top_p, "generator": generator}
    answers = quickly(model_that_favours(59, bias=1000.0), batch, **options)
    assert [len(answer) for answer in answers] == [12, 12]
    assert all(59 not in answer for answer in answers)


def test_answers_come_one_step_at_a_time() -> None:
    model, batch = small_model(seed=1), make_batch(ROWS)
    steps = generate(model, batch, max_new_tokens=12, stop_ids=[], pad_id=0)
    calls = []
    model.decoder.register_forward_hook(lambda *arguments: calls.append(1))
    first = next(steps)
    assert first.shape == (5,)
    assert first.dtype == torch.long
    assert len(calls) == 1
    next(steps)
    assert len(calls) == 2


def test_only_the_last_position_gets_logits() -> None:
    model, batch = small_model(seed=1), make_batch(ROWS)
    sizes = []
    whole = model.decoder.logits

    def watched(hidden: torch.Tensor) -> torch.Tensor:
        sizes.append(hidden.shape[1])
        return whole(hidden)

    model.decoder.logits = watched  # type: ignore[method-assign]
    quickly(model, batch, max_new_tokens=3)
    assert sizes == [1, 1, 1]


def test_the_cache_is_as_long_as_the_request() -> None:
    model, batch = small_model(seed=1), make_batch([(7,), (4,)])
    made = []
    new_cache = model.decoder.new_cache

    def watched(*arguments: Any) -> Any:
        made.append(arguments[:2])
        return new_cache(*arguments)

    model.decoder.new_cache = watched  # type: ignore[method-assign]
    quickly(model, batch, max_new_tokens=5)
    assert made == [(2, 7 + 5 - 1)]


def test_sampling_is_repeatable_and_follows_the_generator() -> None:
    model, batch = small_model(seed=1), make_batch(ROWS)

    def sampled(seed: int) -> list[list[int]]:
        generator = Generator().manual_seed(seed)
        return quickly(model, batch, temperature=1.0, top_p=0.9, generator=generator)

    assert sampled(0) == sampled(0)
    assert sampled(0) != sampled(1)


def test_no_gradient_is_kept() -> None:
    model, batch = small_model(seed=1), make_batch(ROWS)
    steps = generate(model, batch, max_new_tokens=2, stop_ids=[], pad_id=0)
    assert torch.is_grad_enabled()
    assert not next(steps).requires_grad
    assert torch.is_grad_enabled()


def test_more_than_the_decoder_holds_is_refused_before_anything_runs() -> None:
    model = small_model(small_decoder(max_positions=20))
    with pytest.raises(ContractError) as caught:
        generate(model, make_batch([(7,)]), max_new_tokens=14, stop_ids=[], pad_id=0)
    assert str(caught.value) == (
        "A prompt of 7 positions and 14 new ones exceed the decoder's 20.\n"
        "  where:    generate\n"
        "  expected: prompt + max_new_tokens of at most 20 (decoder.max_positions)\n"
        "  fix:      set max_new_tokens to 13 or less, or use fewer tiles "
        "(image_tiler.max_tiles) or frames (video_sampler.max_frames)"
    )
    assert len(quickly(model, make_batch([(7,)]), max_new_tokens=13)[0]) == 13


def test_requests_without_sense() -> None:
    model, batch = small_model(), make_batch([(7,)])
    options: dict[str, Any] = {"stop_ids": [], "pad_id": 0}
    for number, shown in ((0, "0"), ("4", "'4'"), (2.5, "2.5"), (True, "True")):
        with pytest.raises(UsageError) as caught:
            generate(model, batch, max_new_tokens=number, **options)
        assert str(caught.value) == (
            f"max_new_tokens is {shown}.\n"
            "  where:    generate\n"
            "  expected: a whole number, 1 or more\n"
            "  fix:      set max_new_tokens=64"
        )
    with pytest.raises(UsageError, match=r"temperature is -1\.0"):
        generate(model, batch, max_new_tokens=2, temperature=-1.0, **options)
    empty = Batch(batch.input_ids_BL, torch.zeros_like(batch.input_ids_BL), None, ())
    with pytest.raises(ShapeError, match="Row 0 of the batch has no token"):
        generate(model, empty, max_new_tokens=2, **options)
