"""Blocks between an embedding and a norm, and logits under a cap."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, ClassVar

import torch
from plm_components.contracts import DecoderBlock, DefaultPart, Mask
from plm_components.decoders.llama_cache import LlamaCache
from plm_components.errors import SpecError
from plm_components.kernels.norms import RMSNorm
from plm_components.kernels.rotary import HalfSplitRotary, RopeScaling
from torch import Generator, Tensor, nn
from torch.nn.functional import linear

# no stretch of the rotary frequencies
_AS_THEY_ARE = RopeScaling(1.0, 1.0, 4.0, 8192)


class MyPart(nn.Module):
    """A decoder whose logits stay between ``-softcap`` and ``softcap``.

    Args:
        block: Makes the block of a layer index; a part of its own in a spec.
        dim: Channels.
        num_layers: Blocks, at least one.
        vocab_size: Rows of the embedding table, which is the head too.
        max_positions: Longest request it accepts.
        softcap: The largest logit there can be.
        rope_theta: Base of the rotary frequencies.

    Shapes:
        x_BLD ``(B, L, dim)`` -> hidden ``(B, L, dim)`` -> logits ``(B, L, vocab_size)``.

    Raises:
        SpecError: no layer, or no room for a logit.

    Source:
        The bend: Gemma 2, arXiv 2408.00118, section 2.
    """

    __plm_kind__: ClassVar[str] = "decoder"

    def __init__(
        self,
        *,
        block: Annotated[Callable[[int], DecoderBlock], DefaultPart("prenorm_gqa_swiglu")],
        dim: int = 192,
        num_layers: int = 2,
        vocab_size: int = 512,
        max_positions: int = 2048,
        softcap: float = 30.0,
        rope_theta: float = 10000.0,
    ) -> None:
        super().__init__()
        if num_layers < 1 or not softcap > 0:
            raise SpecError(
                f"num_layers={num_layers} with softcap={softcap} says nothing.",
                where="decoder/my_part",
                expected="at least one layer, and a softcap above 0",
                fix="set decoder.num_layers=2 and decoder.softcap=30",
            )
        self.width, self.vocab_size, self.max_positions = dim, vocab_size, max_positions
        self.softcap = softcap
        self.embed_tokens = nn.Embedding(vocab_size, dim)
        blocks = [block(index) for index in range(num_layers)]
        self.layers = nn.ModuleList(blocks)
        self._cached = [(one.num_kv_heads, one.head_dim) for one in blocks]
        self.rotary = HalfSplitRotary(blocks[0].head_dim, rope_theta, _AS_THEY_ARE)
        self.norm = RMSNorm(dim)

    def embed(self, input_ids_BL: Tensor) -> Tensor:
        """``(B, L)`` int -> ``(B, L, D)``."""
        x_BLD: Tensor = self.embed_tokens(input_ids_BL)
        return x_BLD

    def forward(
        self, x_BLD: Tensor, *, positions_BL: Tensor, mask: Mask, cache: LlamaCache | None = None
    ) -> Tensor:
        """``(B, L, D)`` -> hidden states ``(B, L, D)``, the final norm applied."""
        rotary = self.rotary(positions_BL)
        for index, layer in enumerate(self.layers):
            x_BLD = layer(x_BLD, rotary, mask, None if cache is None else cache.layers[index])
        if cache is not None:
            cache.advance(x_BLD.shape[1])
        hidden_BLD: Tensor = self.norm(x_BLD)
        return hidden_BLD

    def logits(self, hidden_BLD: Tensor) -> Tensor:
        """``(B, L, D)`` -> ``(B, L, V)``, each between ``-softcap`` and ``softcap``."""
        logits_BLV = linear(hidden_BLD, self.embed_tokens.weight)
        return torch.tanh(logits_BLV / self.softcap) * self.softcap

    def new_cache(
        self, batch: int, max_len: int, dtype: torch.dtype, device: torch.device | str
    ) -> LlamaCache:
        """An empty cache for ``batch`` rows of at most ``max_len`` positions."""
        return LlamaCache(
            self._cached,
            batch,
            max_len,
            dtype,
            device,
            address="decoder/my_part",
        )

    def init_buffers(self) -> None:
        """Recomputes the rotary frequencies, and whatever the blocks hold."""
        self.rotary.init_buffers()
        for layer in self.layers:
            layer.init_buffers()

    def init_weights(self, generator: Generator | None = None) -> None:
        """Normal of deviation ``dim ** -0.5``; the blocks fill themselves, the norm is one."""
        nn.init.normal_(self.embed_tokens.weight, std=self.width**-0.5, generator=generator)
        for layer in self.layers:
            layer.init_weights(generator)
        self.norm.init_weights()
