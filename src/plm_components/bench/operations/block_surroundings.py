"""What stands around a decoder's layer when it is benched alone: weights, tables, mask, cache."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Generator, Tensor, nn

from plm_components.contracts import Causal, CausalCached, Mask
from plm_components.decoder_blocks.prenorm_gqa_swiglu import PrenormGQASwiGLUBlock
from plm_components.kernels.attention.eager import EagerAttention

_SEED = 20250417
# as Llama 3 has it
_THETA = 500_000.0


@dataclass(frozen=True)
class BlockSizes:
    """A layer and what it is asked.

    Args:
        batch: Rows.
        length: New positions.
        cached: Positions that every row has behind it; 0 is a prompt.
        dim: Channels.
        num_heads: Query heads.
        num_kv_heads: Key/value heads.
        head_dim: Channels of one head.
        ffn_dim: Channels between the two halves of SwiGLU.
    """

    batch: int
    length: int
    cached: int
    dim: int
    num_heads: int
    num_kv_heads: int
    head_dim: int
    ffn_dim: int

    @property
    def options(self) -> dict[str, int]:
        """Of the block, as a spec says them."""
        names = ("num_heads", "num_kv_heads", "head_dim", "ffn_dim")
        return {name: getattr(self, name) for name in names}


def plain_state(sizes: BlockSizes) -> dict[str, Tensor]:
    """Names and shapes of the plain block's weights, on meta."""
    kernel = EagerAttention(sizes.num_heads, sizes.num_kv_heads, sizes.head_dim)
    with torch.device("meta"):
        block = PrenormGQASwiGLUBlock(sizes.dim, 0, **sizes.options, attention=kernel)
    state: dict[str, Tensor] = block.state_dict()
    return state


class BlockSurroundings:
    """What a decoder brings to its layer: rotary tables, a mask, a cache; and the weights.

    Args:
        sizes: Of the layer and the request.
        dtype: Of weights and cache.
        device: Where they lie.
    """

    def __init__(self, sizes: BlockSizes, dtype: torch.dtype, device: torch.device) -> None:
        self._sizes, self._dtype, self._device = sizes, dtype, device
        self._memories: dict[torch.dtype, _Memory] = {}

    def run(self, block: nn.Module, x_BLD: Tensor) -> Tensor:
        """``(B, L, D)`` -> ``(B, L, D)`` of a block, in its dtype."""
        memory = self._memory(x_BLD.dtype) if self._sizes.cached else None
        out_BLD: Tensor = block(x_BLD, self._rotary, self._mask, memory)
        return out_BLD

    @cached_property
    def weights(self) -> dict[str, Tensor]:
        """Of the plain block, by its names: as large as trained ones."""
        generator = torch.Generator(self._device).manual_seed(_SEED)
        return {
            name: self._weight(name, tuple(tensor.shape), generator)
            for name, tensor in plain_state(self._sizes).items()
        }

    def _weight(self, name: str, shape: tuple[int, ...], generator: Generator) -> Tensor:
        x = torch.randn(shape, generator=generator, device=self._device)
        if name.endswith("norm.weight"):
            return (1 + x / 10).to(self._dtype)
        scale: float = shape[-1] ** -0.5
        return (x * scale).to(self._dtype)

    @cached_property
    def _mask(self) -> Mask:
        before = torch.full((self._sizes.batch,), self._sizes.cached, device=self._device)
        return CausalCached(before) if self._sizes.cached else Causal()

    @cached_property
    def _rotary(self) -> tuple[Tensor, Tensor]:
        sizes = self._sizes
        end = sizes.cached + sizes.length
        positions_L1 = torch.arange(sizes.cached, end, device=self._device)[:, None].double()
        exponents = torch.arange(0, sizes.head_dim, 2, device=self._device) / sizes.head_dim
        angles_Lp = positions_L1 * _THETA**-exponents
        angles_BLh = torch.cat((angles_Lp, angles_Lp), -1).expand(sizes.batch, -1, -1)
        return angles_BLh.cos().float(), angles_BLh.sin().float()

    def _memory(self, dtype: torch.dtype) -> _Memory:
        if dtype not in self._memories:
            self._memories[dtype] = _Memory(self._sizes, self._dtype, dtype, self._device)
        return self._memories[dtype]


class _Memory:
    """A layer's cache whose rows are equally full; a call writes behind them, always there.

    Args:
        sizes: Of the layer and the request.
        rounded: Dtype that its content is drawn in.
        dtype: Dtype that it is kept in.
        device: Where it lies.
    """

    def __init__(
        self, sizes: BlockSizes, rounded: torch.dtype, dtype: torch.dtype, device: torch.device
    ) -> None:
        generator = torch.Generator(device).manual_seed(_SEED + 1)
        end = sizes.cached + sizes.length
        shape = (sizes.batch, sizes.num_kv_heads, end, sizes.head_dim)
        self._cached = sizes.cached
        self._k_BGSh, self._v_BGSh = (
            torch.randn(shape, generator=generator, device=device).to(rounded).to(dtype)
            for _ in range(2)
        )
        self._lengths_B = torch.full((sizes.batch,), sizes.cached, device=device)

    def append(self, k_BGLh: Tensor, v_BGLh: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Writes behind the valid length; see the contract."""
        self._k_BGSh[:, :, self._cached :] = k_BGLh
        self._v_BGSh[:, :, self._cached :] = v_BGLh
        return self._k_BGSh, self._v_BGSh, self._lengths_B
