"""Whole layers of Llama 3.2 1B, every registered block that takes its weights."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import torch

from plm_components.bench.contenders import contenders
from plm_components.bench.operation import Operation
from plm_components.bench.operations import BlockSizes, decoder_block


def operations(small: bool, device: torch.device) -> Iterator[Operation]:
    """A prompt, forward and backward, and a token behind a cache."""
    widths = (48, 4, 2, 12, 64) if small else (2048, 32, 8, 64, 8192)
    length, cached = (9, 11) if small else (1024, 2048)
    dtypes = (torch.float32, torch.bfloat16)
    for backward, dtype in product((False, True), dtypes):
        how: dict[str, Any] = {"dtype": dtype, "device": device}
        prompt = BlockSizes(1, length, 0, *widths)
        yield decoder_block("decoder_block/prefill", prompt, backward=backward, **how)
    for dtype in dtypes:
        token = BlockSizes(1, 1, cached, *widths)
        yield decoder_block("decoder_block/decode", token, dtype=dtype, device=device)


def test_decoder_block(kernel_bench: Any, operation: Operation) -> None:
    kernel_bench(operation, contenders(operation))
