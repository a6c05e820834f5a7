"""What a decoder, its blocks and their caches promise."""

from __future__ import annotations

from typing import Any, ClassVar, Protocol, runtime_checkable

import torch
from torch import Generator, Tensor

from plm_components.contracts.masks import Mask


@runtime_checkable
class LayerCache(Protocol):
    """Keys and values of one layer."""

    def append(self, k_BGLh: Tensor, v_BGLh: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Writes behind each row's valid length; returns everything a query may see.

        Returns:
            ``k_BGSh``, ``v_BGSh`` (views, ``S`` = longest valid row + L) and ``lengths_B``, each
            row's valid length before this call. The lengths move only when the decoder has run
            all its layers.
        """
        ...


@runtime_checkable
class Cache(Protocol):
    """Everything a decoder remembers of a batch; opaque to the model."""

    @property
    def lengths_B(self) -> Tensor:
        """``(B,)`` int, valid positions of each row."""
        ...

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        ...

    def truncate(self, lengths: int | Tensor) -> None:
        """Forgets positions from ``lengths`` on (one number, or one a row)."""
        ...

    def select(self, rows: Tensor) -> None:
        """Keeps these rows, in this order."""
        ...


@runtime_checkable
class DecoderBlock(Protocol):
    """One layer. Built with ``(dim, layer_index)``; the decoder brings rotary tables and mask."""

    __plm_kind__: ClassVar[str] = "decoder_block"

    num_kv_heads: int
    head_dim: int

    def forward(
        self,
        x_BLD: Tensor,
        rotary: tuple[Tensor, Tensor],
        mask: Mask,
        cache: LayerCache | None = None,
    ) -> Tensor:
        """``(B, L, D)`` -> ``(B, L, D)``; rotary is fp32 ``cos_BLh, sin_BLh``, half-split."""
        ...

    def init_buffers(self) -> None:
        """Recomputes every non-persistent buffer, after ``to_empty``."""
        ...

    def init_weights(self, generator: Generator | None = None) -> None:
        """Fills every parameter at random."""
        ...


@runtime_checkable
class Decoder(Protocol):
    """Embeddings to hidden states to logits."""

    __plm_kind__: ClassVar[str] = "decoder"

    width: int
    vocab_size: int
    max_positions: int

    def embed(self, input_ids_BL: Tensor) -> Tensor:
        """``(B, L)`` int -> ``(B, L, D)``, as the decoder's layers want it."""
        ...

    def forward(
        self, x_BLD: Tensor, *, positions_BL: Tensor, mask: Mask, cache: Any | None = None
    ) -> Tensor:
        """``(B, L, D)`` -> hidden states ``(B, L, D)``, the final norm applied."""
        ...

    def logits(self, hidden_BLD: Tensor) -> Tensor:
        """``(B, L, D)`` -> ``(B, L, V)``."""
        ...

    def new_cache(
        self, batch: int, max_len: int, dtype: torch.dtype, device: torch.device | str
    ) -> Cache:
        """An empty cache for ``batch`` rows of at most ``max_len`` positions."""
        ...

    def init_buffers(self) -> None:
        """Recomputes every non-persistent buffer, after ``to_empty``."""
        ...

    def init_weights(self, generator: Generator | None = None) -> None:
        """Fills every parameter at random."""
        ...
