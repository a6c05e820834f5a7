"""Equal media are encoded once, within a batch and across batches, within a bound."""

from __future__ import annotations

from dataclasses import replace

import torch

from plm_components.contracts import Batch
from plm_components.inference import FeatureCache, encode_media
from small_models import make_batch, small_model

ROWS = ((2, ("image", 1)), (("video", 3), 1), (1, ("image", 1)))


def with_equal_images() -> Batch:
    """Rows 0 and 2 show the same image."""
    batch = make_batch(ROWS)
    assert batch.pixel_values is not None
    pixels = batch.pixel_values.clone()
    pixels[4] = pixels[0]
    same = replace(batch.media[2], content_hash=batch.media[0].content_hash)
    return replace(batch, pixel_values=pixels, media=(*batch.media[:2], same))


@torch.no_grad()
def test_features_equal_one_pass_over_all_tiles() -> None:
    model, batch = small_model(), with_equal_images()
    expected = model.encode(batch.pixel_values)
    for tiles_at_once in (1, 2, 8):
        found = encode_media(model, batch, tiles_at_once=tiles_at_once)
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)


def test_equal_media_are_encoded_once() -> None:
    model, batch = small_model(), with_equal_images()
    encode_media(model, batch)
    assert model.vision_encoder.tiles_seen == 4


def test_a_cache_remembers_across_batches() -> None:
    model, cache = small_model(), FeatureCache()
    first = encode_media(model, with_equal_images(), cache=cache)
    again = encode_media(model, with_equal_images(), cache=cache)
    assert torch.equal(first, again)
    assert model.vision_encoder.tiles_seen == 4
    assert cache.hits == 2
    cache.clear()
    assert cache.nbytes == 0


def test_the_longest_unused_is_forgotten_beyond_the_bound() -> None:
    one_tile = 4 * 32 * 4
    cache = FeatureCache(max_bytes=2 * one_tile)
    tensors = {name: torch.randn(1, 4, 32) for name in "abc"}
    key = {name: (name, torch.device("cpu"), torch.float32) for name in "abc"}
    cache.put(key["a"], tensors["a"])
    cache.put(key["b"], tensors["b"])
    assert cache.get(key["a"]) is not None
    cache.put(key["c"], tensors["c"])
    assert cache.nbytes == 2 * one_tile
    assert cache.get(key["b"]) is None
    assert cache.get(key["a"]) is not None
    cache.put(("large", torch.device("cpu"), torch.float32), torch.randn(3, 4, 32))
    assert cache.nbytes == 2 * one_tile


def test_a_batch_without_spans_is_encoded_whole() -> None:
    model, batch = small_model(), with_equal_images()
    found = encode_media(model, replace(batch, media=()))
    assert found is not None
    assert len(found) == 5
    assert encode_media(model, make_batch([(3,)])) is None
