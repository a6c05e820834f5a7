"""Attention at one size under one mask."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from plm_components.bench.operation import Operation, Stimulus, Work
from plm_components.bench.operations.attention_truth import (
    exact_attention,
    plain_attention_in_pieces,
    rounding_in_pieces,
)
from plm_components.bench.operations.masks import mask_of, mask_sizes, visible_pairs
from plm_components.bench.operations.stimuli import drawn
from plm_components.contracts import Causal, CausalCached, Documents, Full, Mask

ORACLE = "attention/eager"


class _Trial(NamedTuple):
    """A mask and the lengths it is asked with; as many rows as it has lengths, else three."""

    mask: Mask
    num_queries: int
    num_keys: int


# odd lengths, one query, documents of one token, rows of different lengths, rows without a key
_TRIALS = (
    _Trial(Full(), 67, 67),
    _Trial(Full(), 5, 131),
    _Trial(Full(), 1, 37),
    _Trial(Causal(), 67, 67),
    _Trial(Causal(), 130, 130),
    _Trial(Documents(torch.tensor([0, 5, 6, 67])), 67, 67),
    _Trial(Documents(torch.tensor([4, 41, 130]), shared_prefix=4), 130, 130),
    _Trial(CausalCached(torch.tensor([0, 7, 132])), 1, 133),
    _Trial(CausalCached(torch.tensor([132, 132, 132])), 1, 133),
    _Trial(CausalCached(torch.tensor([-1, 40, 99])), 1, 100),
    _Trial(CausalCached(torch.tensor([2, 0, 95])), 5, 100),
    _Trial(CausalCached(torch.tensor([-4, 40, 97])), 3, 100),
)


def attention(
    name: str,
    *,
    batch: int,
    num_heads: int,
    num_kv_heads: int,
    head_dim: int,
    num_queries: int,
    num_keys: int,
    mask: Mask,
    dtype: torch.dtype,
    device: torch.device | str,
    backward: bool = False,
) -> Operation:
    """``softmax(Q K^T / sqrt(head_dim)) V`` under a mask, which the sizes describe.

    Only pairs that the mask lets see each other are priced: 4 ``head_dim`` operations a pair and
    query head forward (two products), and twice that backward (four products, the scores not made
    again). The softmax is not counted.

    Args:
        name: What a model does with it, ``attention/prefill``.
        batch: Rows; tiles or frames of vision.
        num_heads: Query heads.
        num_kv_heads: Key/value heads, a divisor of ``num_heads``.
        head_dim: Channels of one head.
        num_queries: Positions asked.
        num_keys: Positions there are.
        mask: Which of them may be seen.
        dtype: Of everything.
        device: Where it runs.
        backward: Whether the gradients of q, k and v belong to it.

    Shapes:
        ``(B,H,L,h), (B,G,S,h), (B,G,S,h)`` -> ``(B,H,L,h)``.
    """
    where = torch.device(device)
    query = (batch, num_heads, num_queries, head_dim)
    key = (batch, num_kv_heads, num_keys, head_dim)
    sizes = {
        "batch": batch,
        "num_heads": num_heads,
        "num_kv_heads": num_kv_heads,
        "head_dim": head_dim,
        "num_queries": num_queries,
        "num_keys": num_keys,
        **mask_sizes(mask),
    }
    here = mask_of(sizes, where)

    def draw(generator: Generator, stimulus: Stimulus) -> tuple[Tensor, ...]:
        return tuple(
            drawn(shape, generator, stimulus, dtype=dtype, device=where)
            for shape in (query, key, key)
        )

    def trials() -> Iterator[Operation]:
        for trial in _TRIALS:
            # the other masks are other operations: this contender may not have them
            if isinstance(trial.mask, type(mask)):
                yield attention(
                    f"{name} (trial)",
                    batch=3,
                    num_heads=num_heads,
                    num_kv_heads=num_kv_heads,
                    head_dim=head_dim,
                    num_queries=trial.num_queries,
                    num_keys=trial.num_keys,
                    mask=trial.mask,
                    dtype=dtype,
                    device=where,
                    backward=backward,
                )

    return Operation(
        name=name,
        kind="attention",
        sizes=sizes,
        dtype=dtype,
        device=where,
        work=_work(query, key, visible_pairs(mask, batch, num_queries, num_keys), dtype, backward),
        draw=draw,
        exact=lambda q, k, v: exact_attention(q, k, v, here),
        plain=lambda q, k, v: plain_attention_in_pieces(q, k, v, here),
        backward=backward,
        differentiable=(0, 1, 2),
        rounding=rounding_in_pieces,
        trials=trials,
        oracle=ORACLE,
    )


def _work(
    query: tuple[int, ...], key: tuple[int, ...], pairs: int, dtype: torch.dtype, backward: bool
) -> Work:
    num_heads, head_dim = query[1], query[3]
    flops = 4.0 * num_heads * head_dim * pairs
    # q and the output, k and v; backward reads the output's gradient and writes three
    elements = 2 * torch.Size(query).numel() + 2 * torch.Size(key).numel()
    if backward:
        return Work(3 * flops, 2.0 * elements * dtype.itemsize)
    return Work(flops, float(elements * dtype.itemsize))
