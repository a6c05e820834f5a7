"""What the Processor hands to the model."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from plm_components.contracts.text import MediaKind


@dataclass(frozen=True)
class MediaSpan:
    """Where one image or video stands in a batch.

    Args:
        row: Row of ``input_ids_BL``.
        start: First position in that row.
        num_tokens: Positions it takes.
        first_tile: Its first tile in ``pixel_values``.
        num_tiles: Its tiles or frames.
        kind: Image or video.
        timestamps: Times of the frames in seconds; empty for an image.
        content_hash: SHA-256 of its uint8 tiles, hexadecimal: equal content, equal features.
        frame_indices: Native frame numbers that were read; empty for an image.
    """

    row: int
    start: int
    num_tokens: int
    first_tile: int
    num_tiles: int
    kind: MediaKind
    timestamps: tuple[float, ...]
    content_hash: str
    frame_indices: tuple[int, ...] = ()


@dataclass(frozen=True, eq=False)
class Batch:
    """Right-padded rows and their media.

    Args:
        input_ids_BL: ``(B, L)`` int64.
        attention_mask_BL: ``(B, L)`` int64, 1 where a token is real.
        pixel_values: ``(T, 3, S, S)`` float, normalised, tiles of all rows in order of
            appearance; None without media.
        media: One span a medium, in order of appearance.
        labels_BL: ``(B, L)`` int64: the id where the assistant speaks, -100 elsewhere; None for
            a prompt.
    """

    input_ids_BL: Tensor
    attention_mask_BL: Tensor
    pixel_values: Tensor | None
    media: tuple[MediaSpan, ...]
    labels_BL: Tensor | None = None

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> Batch:
        """On another device; pixels also in another dtype."""
        pixels, labels = self.pixel_values, self.labels_BL
        return replace(
            self,
            input_ids_BL=self.input_ids_BL.to(device),
            attention_mask_BL=self.attention_mask_BL.to(device),
            pixel_values=None if pixels is None else pixels.to(device, dtype or pixels.dtype),
            labels_BL=None if labels is None else labels.to(device),
        )
