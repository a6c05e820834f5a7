"""A whole layer of a Llama decoder, on a prompt or on a token behind a cache."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import ClassVar

import torch
from torch import Generator, Tensor

from plm_components.bench.operation import Operation, Stimulus, Work
from plm_components.bench.operations.attention_truth import (
    exact_attention,
    plain_attention_in_pieces,
)
from plm_components.bench.operations.block_surroundings import BlockSizes, BlockSurroundings
from plm_components.bench.operations.masks import visible_pairs
from plm_components.bench.operations.stimuli import drawn
from plm_components.contracts import AttentionSupport, CausalCached, Mask
from plm_components.decoder_blocks.prenorm_gqa_swiglu import PrenormGQASwiGLUBlock
from plm_components.kernels.attention.eager import EagerAttention

ORACLE = "decoder_block/prenorm_gqa_swiglu"

# odd lengths and widths, several rows
_TRIALS = (BlockSizes(2, 37, 33, 96, 6, 2, 16, 136), BlockSizes(3, 65, 70, 130, 4, 4, 32, 72))


def decoder_block(
    name: str,
    sizes: BlockSizes,
    *,
    dtype: torch.dtype,
    device: torch.device | str,
    backward: bool = False,
) -> Operation:
    """``x + attend(norm(x))``, then ``x + swiglu(norm(x))``, with the gradient of x.

    Weights and the cache are the operation's own, from a fixed seed: a block may pack its weights
    when it loads them. The plain block is the oracle, in float64, and in the tested dtype what
    errors are multiples of.

    Args:
        name: What a model does with it, ``decoder_block/prefill``.
        sizes: Of the layer and the request.
        dtype: Of everything.
        device: Where it runs.
        backward: Whether the gradient of x belongs to it; not behind a cache.

    Shapes:
        ``(B, L, D)`` -> ``(B, L, D)``.
    """
    where = torch.device(device)
    surroundings = BlockSurroundings(sizes, dtype, where)

    @cache
    def truth(wanted: torch.dtype) -> PrenormGQASwiGLUBlock:
        kernel = _InPieces(sizes, exact=wanted is torch.float64)
        with torch.device(where):
            block = PrenormGQASwiGLUBlock(sizes.dim, 0, **sizes.options, attention=kernel)
        block.load_state_dict(surroundings.weights)
        return block.to(wanted)

    def draw(generator: Generator, stimulus: Stimulus) -> tuple[Tensor, ...]:
        shape = (sizes.batch, sizes.length, sizes.dim)
        return (drawn(shape, generator, stimulus, dtype=dtype, device=where),)

    def trials() -> Iterator[Operation]:
        for trial in _TRIALS:
            odd = replace(trial, cached=0) if sizes.cached == 0 else replace(trial, length=1)
            yield decoder_block(
                f"{name} (trial)", odd, dtype=dtype, device=where, backward=backward
            )

    return Operation(
        name=name,
        kind="decoder_block",
        sizes=vars(sizes).copy(),
        dtype=dtype,
        device=where,
        work=_work(sizes, dtype, backward),
        draw=draw,
        exact=lambda x: surroundings.run(truth(torch.float64), x.double()),
        plain=lambda x: surroundings.run(truth(dtype), x),
        backward=backward,
        differentiable=(0,),
        trials=trials,
        oracle=ORACLE,
    )


class _InPieces:
    """The oracles of attention as a part: long prompts in pieces.

    Args:
        sizes: Of the layer.
        exact: In float64, else as the plain kernel does it.
    """

    __plm_kind__: ClassVar[str] = "attention"
    support: ClassVar[AttentionSupport] = EagerAttention.support

    def __init__(self, sizes: BlockSizes, *, exact: bool) -> None:
        self.num_heads, self.num_kv_heads = sizes.num_heads, sizes.num_kv_heads
        self.head_dim = sizes.head_dim
        self._oracle = exact_attention if exact else plain_attention_in_pieces

    def __call__(self, q_BHLh: Tensor, k_BGSh: Tensor, v_BGSh: Tensor, mask: Mask) -> Tensor:
        """``(B,H,L,h), (B,G,S,h), (B,G,S,h)`` -> ``(B,H,L,h)``."""
        return self._oracle(q_BHLh, k_BGSh, v_BGSh, mask)


def _work(sizes: BlockSizes, dtype: torch.dtype, backward: bool) -> Work:
    heads = sizes.num_heads * sizes.head_dim
    kv_heads = sizes.num_kv_heads * sizes.head_dim
    weights = 2 * sizes.dim * (heads + kv_heads) + 3 * sizes.dim * sizes.ffn_dim
    positions, keys = sizes.batch * sizes.length, sizes.cached + sizes.length
    behind = torch.full((sizes.batch,), sizes.cached)
    pairs = visible_pairs(CausalCached(behind), sizes.batch, sizes.length, keys)
    products = 2.0 * positions * weights
    attended = 4.0 * heads * pairs
    # keys and values behind a prompt are read, the new ones written
    memory = 2 * sizes.batch * kv_heads * keys if sizes.cached else 0
    moved = float((weights + 2 * sizes.dim + 2 * positions * sizes.dim + memory) * dtype.itemsize)
    if backward:
        # the gradient of x alone: one product a weight, four of attention
        return Work(2 * products + 3 * attended, 2 * moved)
    return Work(products + attended, moved)
