"""The native decoder: any of our blocks between an embedding and a norm."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, ClassVar

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import linear
from torch.nn.init import trunc_normal_

from plm_components.contracts import CheckpointHeader, DecoderBlock, DefaultPart, Mask, Reading
from plm_components.decoders.llama_cache import LlamaCache
from plm_components.decoders.llama_files import read_llama
from plm_components.errors import ContractError
from plm_components.kernels.norms import RMSNorm
from plm_components.kernels.rotary import HalfSplitRotary, RopeScaling

# far above any decoder there is: a slip of the keyboard ends in an error, not in a full memory
MAX_LAYERS = 10_000


class LlamaDecoder(nn.Module):
    """Llama 3: blocks, rotary positions with Llama 3.1's stretch, a final norm.

    Args:
        dim: Channels.
        num_layers: Blocks, 1 to 10,000.
        vocab_size: Rows of the embedding table.
        max_positions: Longest request it accepts.
        block: Makes the block of a layer index.
        norm_eps: Added to the mean square in the final norm.
        rope_theta: Base of the rotary frequencies.
        rope_scale_factor: Division of the slow frequencies; 1 changes nothing.
        rope_low_freq_factor: Where the slow end begins.
        rope_high_freq_factor: Where the fast end begins.
        rope_original_positions: Positions before the stretch.
        tie_embeddings: Use the embedding table as the head.

    Shapes:
        x_BLD ``(B, L, dim)`` -> hidden ``(B, L, dim)`` -> logits ``(B, L, vocab_size)``.

    Raises:
        ContractError: ``num_layers`` out of its range, or blocks whose heads differ in size,
            since they share one rotary table.

    Source:
        arXiv 2407.21783.
    """

    compiles: ClassVar[bool] = True
    __plm_kind__: ClassVar[str] = "decoder"

    def __init__(
        self,
        *,
        dim: int,
        num_layers: int,
        vocab_size: int,
        max_positions: int,
        block: Annotated[Callable[[int], DecoderBlock], DefaultPart("prenorm_gqa_swiglu")],
        norm_eps: float = 1e-5,
        rope_theta: float = 500000.0,
        rope_scale_factor: float = 1.0,
        rope_low_freq_factor: float = 1.0,
        rope_high_freq_factor: float = 4.0,
        rope_original_positions: int = 8192,
        tie_embeddings: bool = True,
    ) -> None:
        super().__init__()
        _require_buildable(num_layers)
        self.width, self.vocab_size, self.max_positions = dim, vocab_size, max_positions
        self.embed_tokens = nn.Embedding(vocab_size, dim)
        self.layers = nn.ModuleList(block(index) for index in range(num_layers))  # type: ignore[misc]
        scaling = RopeScaling(
            rope_scale_factor, rope_low_freq_factor, rope_high_freq_factor, rope_original_positions
        )
        self.rotary = HalfSplitRotary(_head_dim(self._blocks), rope_theta, scaling)
        self.norm = RMSNorm(dim, norm_eps)
        # a tied head owns nothing: no alias in the state dict, nothing to tie after loading
        self.lm_head = None if tie_embeddings else nn.Linear(dim, vocab_size, bias=False)

    @property
    def _blocks(self) -> list[DecoderBlock]:
        return list(self.layers)  # type: ignore[arg-type]

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
        """``(B, L, D)`` -> ``(B, L, V)``."""
        head = self.embed_tokens if self.lm_head is None else self.lm_head
        return linear(hidden_BLD, head.weight)

    def new_cache(
        self, batch: int, max_len: int, dtype: torch.dtype, device: torch.device | str
    ) -> LlamaCache:
        """An empty cache for ``batch`` rows of at most ``max_len`` positions."""
        layers = [(block.num_kv_heads, block.head_dim) for block in self._blocks]
        return LlamaCache(layers, batch, max_len, dtype, device)

    def reading(self, header: CheckpointHeader) -> Reading:
        """Llama directories of transformers, and the decoder of a PerceptionLM.

        Raises:
            CheckpointError: no Llama, or one of other sizes.
        """
        return read_llama(self, header)

    def init_buffers(self) -> None:
        """Recomputes the rotary frequencies, and whatever the blocks hold."""
        self.rotary.init_buffers()
        for block in self._blocks:
            block.init_buffers()

    def init_weights(self, generator: Generator | None = None) -> None:
        """Truncated normal at 3 sigma, sigma one over the root of the width; norms at one."""
        std = self.width**-0.5
        tables = [self.embed_tokens.weight]
        if self.lm_head is not None:
            tables.append(self.lm_head.weight)
        for table in tables:
            trunc_normal_(table, std=std, a=-3 * std, b=3 * std, generator=generator)
        for block in self._blocks:
            block.init_weights(generator)
        self.norm.init_weights()


def _require_buildable(num_layers: int) -> None:
    if not 1 <= num_layers <= MAX_LAYERS:
        raise ContractError(
            f"A decoder of {num_layers} layers cannot be built.",
            where="decoder/llama, num_layers",
            expected=f"1 to {MAX_LAYERS} layers",
            fix="set num_layers to what the checkpoint has, such as 16",
        )


def _head_dim(blocks: list[DecoderBlock]) -> int:
    sizes = {block.head_dim for block in blocks}
    if len(sizes) == 1:
        return sizes.pop()
    raise ContractError(
        f"{len(blocks)} blocks with head sizes {sorted(sizes)}.",
        where="decoder/llama, block",
        expected="blocks of one head_dim: they share a rotary table",
        fix="give every layer the same head_dim",
    )
