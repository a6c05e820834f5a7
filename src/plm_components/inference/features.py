"""Features of a batch's media: equal content is encoded once."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor

from plm_components.contracts import Batch, MediaSpan
from plm_components.model.perception_lm import PerceptionLM

_Key = tuple[str, torch.device, torch.dtype]


class FeatureCache:
    """Remembers features by content; forgets the longest unused beyond a bound.

    It belongs to one model with fixed weights: ``clear`` it when they change.

    Args:
        max_bytes: Bound on what is held.
    """

    def __init__(self, max_bytes: int = 256 * 2**20) -> None:
        self.max_bytes = max_bytes
        self.hits = 0
        self._held: OrderedDict[_Key, Tensor] = OrderedDict()

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return sum(features.nbytes for features in self._held.values())

    def get(self, key: _Key) -> Tensor | None:
        """``(tiles, M, D)`` or None."""
        found = self._held.get(key)
        if found is not None:
            self.hits += 1
            self._held.move_to_end(key)
        return found

    def put(self, key: _Key, features_TMD: Tensor) -> None:
        """Remembers them, unless they alone are beyond the bound."""
        if features_TMD.nbytes > self.max_bytes:
            return
        # a copy: a slice would keep the whole batch's features alive
        self._held[key] = features_TMD.clone()
        while self.nbytes > self.max_bytes:
            self._held.popitem(last=False)

    def clear(self) -> None:
        """Forgets everything."""
        self._held.clear()


@torch.no_grad()
def encode_media(
    model: PerceptionLM,
    batch: Batch,
    *,
    cache: FeatureCache | None = None,
    tiles_at_once: int = 8,
) -> Tensor | None:
    """Features of all media of a batch, in order; no gradients.

    Args:
        model: Does the encoding.
        batch: Whose ``media`` say which tiles belong together and what they contain; without
            them every tile is encoded.
        cache: Features from earlier batches.
        tiles_at_once: Tiles in one pass of the encoder; bounds the memory of activations.

    Returns:
        ``(T, M, D)``, or None without media.
    """
    if batch.pixel_values is None:
        return None
    if not batch.media:
        return _in_chunks(model, batch.pixel_values, tiles_at_once)
    known: dict[_Key, Tensor] = {}
    keys = [_key(batch.pixel_values, span) for span in batch.media]
    for key, span in zip(keys, batch.media, strict=True):
        if key not in known:
            found = None if cache is None else cache.get(key)
            known[key] = _encode(model, batch, span, tiles_at_once) if found is None else found
            if cache is not None and found is None:
                cache.put(key, known[key])
    return torch.cat([known[key] for key in keys])


def _key(pixel_values: Tensor, span: MediaSpan) -> _Key:
    return (span.content_hash, pixel_values.device, pixel_values.dtype)


def _encode(model: PerceptionLM, batch: Batch, span: MediaSpan, tiles_at_once: int) -> Tensor:
    assert batch.pixel_values is not None  # the caller looked
    tiles = batch.pixel_values[span.first_tile : span.first_tile + span.num_tiles]
    return _in_chunks(model, tiles, tiles_at_once)


def _in_chunks(model: PerceptionLM, tiles: Tensor, tiles_at_once: int) -> Tensor:
    starts = range(0, len(tiles), tiles_at_once)
    return torch.cat([model.encode(tiles[start : start + tiles_at_once]) for start in starts])
