"""Answers, one id a row and step."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from plm_components.contracts import Batch, Cache
from plm_components.errors import ContractError, ShapeError, UsageError
from plm_components.inference.features import FeatureCache, encode_media
from plm_components.inference.sampling import check_sampling, next_ids
from plm_components.model.perception_lm import PerceptionLM


@dataclass
class _Live:
    """The rows still in the cache.

    Args:
        cache: Of these rows.
        logits_BV: For their next ids.
        rows: Which row of the batch each is.
        done_B: Finished, but not worth a copy of the cache yet.
    """

    cache: Cache
    logits_BV: Tensor
    rows: Tensor
    done_B: Tensor


def generate(
    model: PerceptionLM,
    batch: Batch,
    *,
    max_new_tokens: int,
    stop_ids: Sequence[int],
    pad_id: int,
    temperature: float = 0.0,
    top_p: float | None = None,
    generator: Generator | None = None,
    feature_cache: FeatureCache | None = None,
) -> Iterator[Tensor]:
    """Continues every row of a batch until it stops.

    Rows may differ in length and media. A row's answer does not depend on the other rows. Media
    tokens are never said: nothing could stand where they do.

    Args:
        model: In eval mode, on the device of the batch.
        batch: Prompts, right-padded.
        max_new_tokens: Bound on the answer of each row.
        stop_ids: Ids that end a row; the very first id counts.
        pad_id: What finished rows are fed until they are dropped.
        temperature: 0 takes the likeliest id.
        top_p: Samples among the likeliest ids that together reach this probability.
        generator: Source of randomness, on the device of the model.
        feature_cache: Features of media seen before.

    Returns:
        One ``(B,)`` int64 tensor a step: the next id of each row, -1 for rows that have stopped.
        Stop ids themselves do not appear; the iterator ends when every row has stopped.

    Raises:
        UsageError: max_new_tokens below 1 or no whole number, or sampling options that make no
            sense.
        ShapeError: a row without a token.
        ContractError: prompt and answer together exceed the decoder's positions.
    """
    check_sampling(temperature, top_p)
    lengths_B = batch.attention_mask_BL.sum(1)
    _check_request(model, batch, lengths_B.tolist(), max_new_tokens)

    def steps() -> Iterator[Tensor]:
        stops = torch.tensor(tuple(stop_ids), dtype=torch.long, device=lengths_B.device)
        silent = _never_said(model, lengths_B.device)
        live = _prefill(model, batch, lengths_B, max_new_tokens, feature_cache)
        for left in range(max_new_tokens - 1, -1, -1):
            said_BV = live.logits_BV.index_fill(-1, silent, -math.inf)
            ids = next_ids(said_BV, temperature=temperature, top_p=top_p, generator=generator)
            live.done_B = live.done_B | torch.isin(ids, stops)
            finished = int(live.done_B.sum())
            if finished == len(ids):
                return
            yield _scatter(ids, live, len(lengths_B))
            if left:
                _step(model, live, ids.masked_fill(live.done_B, pad_id), finished)

    return steps()


def _never_said(model: PerceptionLM, device: torch.device) -> Tensor:
    """Media ids within the decoder's table; others have no logit."""
    inside = [token for token in model.media_token_ids if token < model.decoder.vocab_size]
    return torch.tensor(inside, dtype=torch.long, device=device)


@torch.no_grad()
def _prefill(
    model: PerceptionLM,
    batch: Batch,
    lengths_B: Tensor,
    max_new_tokens: int,
    feature_cache: FeatureCache | None,
) -> _Live:
    ids_BL = batch.input_ids_BL
    rows, length = ids_BL.shape
    dtype = model.decoder.embed(torch.zeros_like(ids_BL[:1, :1])).dtype
    # the last new id is never fed back
    cache = model.decoder.new_cache(rows, length + max_new_tokens - 1, dtype, ids_BL.device)
    features = encode_media(model, batch, cache=feature_cache)
    hidden_BLD = model.hidden(ids_BL, features, cache=cache)
    cache.truncate(lengths_B)
    every = torch.arange(rows, device=ids_BL.device)
    last_B1D = hidden_BLD[every, lengths_B - 1].unsqueeze(1)
    logits_BV = model.decoder.logits(last_B1D).squeeze(1)
    return _Live(cache, logits_BV, every, torch.zeros_like(every, dtype=torch.bool))


@torch.no_grad()
def _step(model: PerceptionLM, live: _Live, ids: Tensor, finished: int) -> None:
    """Feeds one id a row, after dropping finished rows where that pays."""
    # dropping copies the cache, so not before half of it is idle
    if 2 * finished >= len(ids):
        ids = _drop_finished(live, ids)
    hidden_B1D = model.hidden(ids.unsqueeze(1), cache=live.cache)
    live.logits_BV = model.decoder.logits(hidden_B1D).squeeze(1)


def _drop_finished(live: _Live, ids: Tensor) -> Tensor:
    kept = (~live.done_B).nonzero().flatten()
    live.cache.select(kept)
    live.rows, live.done_B = live.rows[kept], live.done_B[kept]
    return ids[kept]


def _scatter(ids: Tensor, live: _Live, num_rows: int) -> Tensor:
    out_B = torch.full((num_rows,), -1, dtype=torch.long, device=ids.device)
    out_B[live.rows] = ids.masked_fill(live.done_B, -1)
    return out_B


def _check_request(
    model: PerceptionLM, batch: Batch, lengths: list[int], max_new_tokens: int
) -> None:
    if type(max_new_tokens) is not int or max_new_tokens < 1:
        raise UsageError(
            f"max_new_tokens is {max_new_tokens!r}.",
            where="generate",
            expected="a whole number, 1 or more",
            fix="set max_new_tokens=64",
        )
    if 0 in lengths:
        raise ShapeError(
            f"Row {lengths.index(0)} of the batch has no token.",
            where="generate, attention_mask",
            expected="a prompt in every row",
            fix="leave empty prompts out of the batch",
        )
    # pads count: they stand in the cache until the prompt has been read
    longest, limit = batch.input_ids_BL.shape[1], model.decoder.max_positions
    if longest + max_new_tokens > limit:
        raise _too_long(longest, max_new_tokens, limit)


def _too_long(longest: int, max_new_tokens: int, limit: int) -> ContractError:
    room = limit - longest
    answer = f"set max_new_tokens to {room} or less, or " if room > 0 else ""
    return ContractError(
        f"A prompt of {longest} positions and {max_new_tokens} new ones exceed "
        f"the decoder's {limit}.",
        where="generate",
        expected=f"prompt + max_new_tokens of at most {limit} (decoder.max_positions)",
        fix=f"{answer}use fewer tiles (image_tiler.max_tiles) or frames (video_sampler.max_frames)",
    )
