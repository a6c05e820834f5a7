"""The kit catches each planted bug, and with exactly the check that names it."""

from __future__ import annotations

from typing import Any

import planted_kernels as kernels
import planted_media as media
import planted_modules as modules
import pytest

from plm_components.testing import conformance

_ENCODER = {
    "model": "vit_pe_lang_large_patch14_448",
    "image_size": 42,
    "model_args": {"embed_dim": 48, "depth": 1, "num_heads": 2},
}
_BLOCK = {"num_heads": 4, "num_kv_heads": 2, "ffn_dim": 96}
_DECODER = {"dim": 64, "num_layers": 2, "vocab_size": 97, "max_positions": 64, "block": _BLOCK}
_TOKENIZER = {"words": ["which", "shape", "moves", "upward", "the", "purple", "?", "."]}
_TILES = {"max_tiles": 4}

PLANTED: list[tuple[str, type, str, dict[str, Any]]] = [
    ("projector", modules.WiredBehindStar, "wired_before_star", {}),
    ("projector", modules.NoType, "options_declared", {}),
    ("projector", modules.Swallows, "options_declared", {}),
    ("projector", modules.FailsToBuild, "builds", {}),
    ("projector", modules.Undocumented, "docstring_tells", {}),
    ("projector", modules.FixedDevice, "builds_on_meta", {}),
    ("projector", modules.ForgottenBuffer, "meta_equals_direct", {}),
    ("projector", modules.StateElsewhere, "state_dict_round_trip", {}),
    ("projector", modules.HalfInitialised, "init_weights_fills_all", {}),
    ("projector", modules.GlobalGenerator, "init_weights_fills_all", {}),
    ("projector", modules.Detached, "gradients_reach_parameters", {}),
    ("projector", modules.Widens, "low_precision_close", {}),
    ("projector", modules.HalfInside, "float32_close", {}),
    ("projector", modules.BreaksGraph, "compiles_whole", {}),
    ("projector", modules.MixesRows, "rows_do_not_mix", {}),
    ("projector", modules.Restless, "deterministic", {}),
    ("projector", modules.SquareCount, "shape_law", {}),
    ("projector", modules.WrongOutGrid, "out_grid_kept", {}),
    ("projector", modules.Mirrored, "keeps_places", {}),
    ("projector", modules.TakesAnything, "refuses_wrong_tokens", {}),
    ("projector", modules.LooksAtValues, "counts_without_weights", {}),
    ("vision_encoder", modules.KeepsPrefix, "shape_law", _ENCODER),
    ("vision_encoder", modules.SwappedGrid, "grid_follows_patches", _ENCODER),
    ("vision_encoder", modules.ColumnMajor, "row_major", _ENCODER),
    ("vision_encoder", modules.ZeroStd, "normalisation_declared", _ENCODER),
    ("vision_encoder", modules.NoLayer, "layer_option", _ENCODER),
    ("decoder", modules.ForgetsLimit, "members_present", _DECODER),
    ("decoder", modules.NarrowLogits, "shape_law", _DECODER),
    ("decoder", modules.MixesLogits, "logits_alone", _DECODER),
    ("decoder", modules.LongSight, "causal", _DECODER),
    ("decoder", modules.EvenTruncate, "cache_ragged_rows", _DECODER),
    ("decoder", modules.DeafTruncate, "cache_truncates", _DECODER),
    ("decoder", modules.SortedSelect, "cache_selects_rows", _DECODER),
    ("decoder", modules.Weightless, "cache_counts", _DECODER),
    ("decoder", modules.Positionless, "positions_count", _DECODER),
    ("decoder_block", modules.TwoWayBlock, "causal", _BLOCK),
    ("decoder_block", modules.BlindToDocuments, "documents_apart", _BLOCK),
    ("decoder_block", modules.BlindToLengths, "cache_equals_no_cache", _BLOCK),
    ("decoder_block", modules.Interleaved, "rotary_is_relative", _BLOCK),
    ("attention", kernels.LowScores, "agrees_with_float64", {}),
    ("attention", kernels.WrongAttentionGradient, "gradients_agree", {}),
    ("attention", kernels.SoftMask, "causality_probe", {}),
    ("attention", kernels.SeesAhead, "document_probe", {}),
    ("attention", kernels.ForeignMask, "support_declared", {}),
    ("attention", kernels.ForgetsGroups, "support_declared", {}),
    ("attention", kernels.DropsDocuments, "refuses_the_rest", {}),
    ("attention", kernels.Widens, "dtype_kept", {}),
    ("attention", kernels.WrongMeta, "shapes_on_meta", {}),
    ("attention", kernels.Restless, "deterministic", {}),
    ("pooling", kernels.SloppyGelu, "agrees_with_float64", {}),
    ("pooling", kernels.WrongPoolingGradient, "gradients_agree", {}),
    ("pooling", kernels.Truncates, "refuses_misfits", {}),
    ("pooling", kernels.PoolingWidens, "dtype_kept", {}),
    ("pooling", kernels.NoMeta, "shapes_on_meta", {}),
    ("tokenizer", media.Strips, "round_trip", _TOKENIZER),
    ("tokenizer", media.Injectable, "text_stays_text", _TOKENIZER),
    ("tokenizer", media.TwoImageIds, "ids_in_table", _TOKENIZER),
    ("tokenizer", media.ShowsSpecials, "specials_not_shown", _TOKENIZER),
    ("tokenizer", media.NeverEnds, "mask_covers_answers", _TOKENIZER),
    ("tokenizer", media.OtherPrompt, "turns_extend", _TOKENIZER),
    ("tokenizer", media.MisplacedMedia, "media_in_place", _TOKENIZER),
    ("tokenizer", media.NeedsDownload, "files_at_hand_says", _TOKENIZER),
    ("image_tiler", media.FloatTiles, "tiles_as_planned", {}),
    ("image_tiler", media.BlueFirst, "colours_kept", {}),
    ("image_tiler", media.ColumnTiles, "tiles_row_major", _TILES),
    ("image_tiler", media.BadPlan, "plan_adds_up", _TILES),
    ("image_tiler", media.Scribbles, "deterministic", {}),
    ("frame_transform", media.Normalised, "tiles_are_uint8", {}),
    ("frame_transform", media.Smooths, "frames_do_not_mix", {}),
    ("frame_transform", media.WrapsAround, "colours_kept", {}),
    ("frame_transform", media.Transposed, "places_kept", {}),
    ("video_sampler", media.OnePastTheEnd, "indices_exist", {}),
    ("video_sampler", media.TooMany, "count_within_maximum", {}),
    ("video_sampler", media.SteadyClock, "timestamps_are_pts", {}),
    ("video_sampler", media.Whimsical, "deterministic", {}),
    ("video_sampler", media.MustLook, "works_or_refuses_blind", {}),
    ("video_reader", media.LateStart, "facts_are_true", {}),
    ("video_reader", media.NearestSecond, "frames_equal", {}),
    ("video_reader", media.SortsIndices, "any_order", {}),
    ("video_reader", media.FromTheEnd, "refuses_no_frame", {}),
    ("video_reader", media.RawErrors, "refuses_no_video", {}),
]


@pytest.mark.parametrize(
    ("kind", "part", "check", "options"),
    PLANTED,
    ids=[f"{kind}-{part.__name__}" for kind, part, _, _ in PLANTED],
)
def test_exactly_the_intended_check_fails(
    kind: str, part: type, check: str, options: dict[str, Any]
) -> None:
    results = conformance(part, options, kind=kind)
    failed = {result.check: result.detail for result in results if result.outcome == "failed"}
    assert list(failed) == [check], failed
    assert failed[check]


def test_every_kind_has_a_planted_bug() -> None:
    from plm_components.zoo.kinds import KINDS

    assert {kind for kind, *_ in PLANTED} == set(KINDS)
