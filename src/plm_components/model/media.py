"""Features written over the embeddings of media tokens, counted before they are."""

from __future__ import annotations

import torch
from torch import Tensor

from plm_components.errors import ShapeError


def write_features(x_BLD: Tensor, is_media_BL: Tensor, features_TMD: Tensor | None) -> Tensor:
    """Puts features, in order, where media tokens stand: row after row, left to right.

    Args:
        x_BLD: ``(B, L, D)`` embeddings.
        is_media_BL: True where a media token stands.
        features_TMD: ``(T, M, D)``: tiles in order of appearance; None without media.

    Returns:
        ``(B, L, D)``, a new tensor.

    Raises:
        ShapeError: as many features as media tokens there are not; names the row.
    """
    if features_TMD is None:
        features_TMD = x_BLD.new_empty(0, 1, x_BLD.shape[-1])
    check_features(x_BLD, is_media_BL, features_TMD)
    if features_TMD.shape[0] == 0:
        return x_BLD
    return x_BLD.masked_scatter(is_media_BL[..., None], features_TMD.to(x_BLD.dtype))


def check_features(x_BLD: Tensor, is_media_BL: Tensor, features_TMD: Tensor) -> None:
    """ShapeError unless every media token gets a feature, and every feature a token."""
    if features_TMD.dim() != 3 or features_TMD.shape[-1] != x_BLD.shape[-1]:
        raise ShapeError(
            f"Features of shape {tuple(features_TMD.shape)} for embeddings of "
            f"{x_BLD.shape[-1]} channels.",
            where="PerceptionLM.embed, features",
            expected=f"(tiles, tokens a tile, {x_BLD.shape[-1]})",
            fix="pass what PerceptionLM.encode returns",
        )
    if is_media_BL.device.type == "meta":
        return
    num_tiles, per_tile = features_TMD.shape[:2]
    counts = is_media_BL.sum(1).tolist()
    if sum(counts) != num_tiles * per_tile or any(count % per_tile for count in counts):
        raise _mismatch(counts, num_tiles, per_tile)


def _mismatch(counts: list[int], num_tiles: int, per_tile: int) -> ShapeError:
    row = _guilty_row(counts, num_tiles * per_tile, per_tile)
    return ShapeError(
        f"Row {row} has {counts[row]} media tokens, which the features do not fill.",
        where=f"PerceptionLM.embed, row {row} of input_ids",
        expected=f"{num_tiles} tiles of {per_tile} features = {num_tiles * per_tile} media tokens "
        f"in all; the rows have {counts}",
        fix="pass pixel_values of every medium of the batch, in order, and do not cut a prompt "
        "inside its media",
    )


def _guilty_row(counts: list[int], available: int, per_tile: int) -> int:
    """The first row cut inside a tile, else the first that runs dry, else the last with media."""
    used = 0
    for row, count in enumerate(counts):
        used += count
        if count % per_tile or used > available:
            return row
    return max((row for row, count in enumerate(counts) if count), default=0)


def media_mask(input_ids_BL: Tensor, media_token_ids: tuple[int, ...]) -> Tensor:
    """``(B, L)`` bool: true at media tokens."""
    is_media_BL = torch.zeros_like(input_ids_BL, dtype=torch.bool)
    for token_id in media_token_ids:
        is_media_BL = is_media_BL | (input_ids_BL == token_id)
    return is_media_BL
