"""The model: an encoder, a projector and a decoder, and where features meet words.

It takes built parts and knows no spec.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Generator, Tensor, nn

from plm_components.contracts import (
    Cache,
    Causal,
    CausalCached,
    Decoder,
    Mask,
    Projector,
    VisionEncoder,
)
from plm_components.errors import ContractError, ShapeError
from plm_components.model.media import media_mask, write_features
from plm_components.model.padding import left_padding


class PerceptionLM(nn.Module):
    """Pixels and words to logits.

    Args:
        vision_encoder: Tiles to tokens.
        projector: Tokens to embeddings of the decoder's width.
        decoder: Embeddings to hidden states to logits.
        media_token_ids: Ids that stand where features go; they may lie outside the decoder's
            table.

    Source:
        PerceptionLM, arXiv 2504.13180.
    """

    def __init__(
        self,
        vision_encoder: VisionEncoder,
        projector: Projector,
        decoder: Decoder,
        *,
        media_token_ids: Sequence[int],
    ) -> None:
        super().__init__()
        # protocols to the type checker, modules to torch
        self.vision_encoder: VisionEncoder = vision_encoder
        self.projector: Projector = projector
        self.decoder: Decoder = decoder
        self.media_token_ids = tuple(media_token_ids)

    def tokens_per_tile(self, height: int | None = None, width: int | None = None) -> int:
        """Embeddings a tile becomes; the encoder's image size when none is given."""
        side = self.vision_encoder.image_size
        return self.projector.num_tokens(self.vision_encoder.grid(height or side, width or side))

    def encode(self, pixel_values_T3SS: Tensor) -> Tensor:
        """Normalised tiles ``(T, 3, S, S)`` -> features ``(T, M, D)``.

        Pixels are cast to the encoder's dtype.
        """
        grid = self.vision_encoder.grid(*pixel_values_T3SS.shape[-2:])
        dtype = _float_dtype(self.vision_encoder, pixel_values_T3SS.dtype)
        tokens_TNC = _called(self.vision_encoder, pixel_values_T3SS.to(dtype))
        return _called(self.projector, tokens_TNC, grid)

    def embed(self, input_ids_BL: Tensor, features_TMD: Tensor | None = None) -> Tensor:
        """``(B, L)`` ids and ``(T, M, D)`` features -> ``(B, L, D)``.

        Raises:
            ShapeError: media tokens and features differ in number; names the row.
        """
        is_media_BL = media_mask(input_ids_BL, self.media_token_ids)
        # the id itself may lie outside the table, and its embedding is overwritten anyway
        x_BLD = self.decoder.embed(input_ids_BL.masked_fill(is_media_BL, 0))
        return write_features(x_BLD, is_media_BL, features_TMD)

    def hidden(
        self,
        input_ids_BL: Tensor,
        features_TMD: Tensor | None = None,
        *,
        mask: Mask | None = None,
        positions_BL: Tensor | None = None,
        cache: Cache | None = None,
    ) -> Tensor:
        """Right-padded ids -> hidden states ``(B, L, D)``, the final norm applied.

        Args:
            input_ids_BL: ``(B, L)``, what is new behind the cache.
            features_TMD: ``(T, M, D)`` for the media tokens among them.
            mask: Causal, or CausalCached behind a cache, when None.
            positions_BL: ``(B, L)``, counted on from each row's cached length when None.
            cache: What the decoder remembers; grows by L for every row. Pads count: truncate it
                to the valid lengths before the next call.

        Raises:
            ContractError: more positions than the decoder has.
            ShapeError: media tokens and features differ in number.
        """
        x_BLD = self.embed(input_ids_BL, features_TMD)
        if positions_BL is None:
            positions_BL = self._positions(input_ids_BL, cache)
        if mask is None:
            mask = _default_mask(input_ids_BL.shape[1], cache)
        return _called(self.decoder, x_BLD, positions_BL=positions_BL, mask=mask, cache=cache)

    def forward(
        self,
        input_ids: Tensor,
        pixel_values: Tensor | None = None,
        attention_mask: Tensor | None = None,
        logits_to_keep: int | Tensor = 0,
        *,
        features: Tensor | None = None,
    ) -> Tensor:
        """Logits, as transformers' models give them.

        Args:
            input_ids: ``(B, L)``; media positions hold a media token id.
            pixel_values: ``(T, 3, S, S)``, normalised, tiles of all rows in order.
            attention_mask: ``(B, L)``, 1 where a token is real; pads on either side of a row.
            logits_to_keep: 0 for all positions, n for the last n, or the positions ``(K,)``.
            features: ``(T, M, D)`` from ``encode``, instead of ``pixel_values``.

        Returns:
            ``(B, L or K, V)`` in the caller's layout; what stands at pads means nothing.

        Raises:
            ShapeError: both pixel_values and features, a mask with holes, or media tokens that
                do not match.
            ContractError: more positions than the decoder has.
        """
        if pixel_values is not None:
            if features is not None:
                raise _both_given()
            features = self.encode(pixel_values)
        padding = left_padding(input_ids, attention_mask)
        inside = input_ids if padding is None else padding.inside(input_ids)
        hidden_BLD = self.hidden(inside, features)
        if padding is not None:
            hidden_BLD = padding.outside(hidden_BLD)
        return self.decoder.logits(_keep(hidden_BLD, logits_to_keep))

    def init_buffers(self) -> None:
        """Recomputes every non-persistent buffer, after ``to_empty``."""
        for part in (self.vision_encoder, self.projector, self.decoder):
            part.init_buffers()

    def init_weights(self, generator: Generator | None = None) -> None:
        """Fills every parameter at random."""
        for part in (self.vision_encoder, self.projector, self.decoder):
            part.init_weights(generator)

    def _positions(self, input_ids_BL: Tensor, cache: Cache | None) -> Tensor:
        rows, length = input_ids_BL.shape
        end = length + _longest(cache)
        if end > self.decoder.max_positions:
            raise _too_long(end, self.decoder.max_positions)
        new_1L = torch.arange(length, device=input_ids_BL.device)[None]
        return new_1L.expand(rows, -1) if cache is None else new_1L + cache.lengths_B[:, None]


def _longest(cache: Cache | None) -> int:
    if cache is None or cache.lengths_B.is_meta:
        return 0
    return max(cache.lengths_B.tolist(), default=0)


def _called(part: Any, *args: Any, **kwargs: Any) -> Tensor:
    # the module, not its forward: hooks of sharding, compiling and profiling hang on the call
    out: Tensor = part(*args, **kwargs)
    return out


def _default_mask(num_new: int, cache: Cache | None) -> Mask:
    if cache is None:
        return Causal()
    # an empty cache makes a plain causal pass, which kernels do without a mask tensor
    if num_new > 1 and not bool(cache.lengths_B.any()):
        return Causal()
    return CausalCached(cache.lengths_B)


def _keep(hidden_BLD: Tensor, logits_to_keep: int | Tensor) -> Tensor:
    if isinstance(logits_to_keep, Tensor):
        return hidden_BLD[:, logits_to_keep]
    return hidden_BLD[:, -logits_to_keep:] if logits_to_keep else hidden_BLD


def _float_dtype(part: VisionEncoder, otherwise: torch.dtype) -> torch.dtype:
    if isinstance(part, nn.Module):
        for parameter in part.parameters():
            return parameter.dtype
    return otherwise


def _both_given() -> ShapeError:
    return ShapeError(
        "Both pixel_values and features were given.",
        where="PerceptionLM.forward",
        expected="one of them: features are what pixel_values become",
        fix="leave one out",
    )


def _too_long(length: int, max_positions: int) -> ContractError:
    return ContractError(
        f"{length} positions, and the decoder has {max_positions}.",
        where="PerceptionLM.hidden, input_ids",
        expected=f"at most {max_positions} positions, those in the cache included",
        fix="use fewer tiles or frames, a shorter text, or raise decoder.max_positions",
    )
