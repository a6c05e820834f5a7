"""Random numbers from a seed, for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def seeded(seed: int, device: torch.device | str = "cpu") -> Iterator[None]:
    """Seeds the processor's generator and that of one GPU; afterwards both are as they were.

    ``torch.manual_seed`` would reach every other GPU of the machine too, and change them for good.

    Args:
        seed: Of both.
        device: Whose numbers are drawn; of accelerators only CUDA's are seeded.
    """
    where, own = torch.device(device), []
    if where.type == "cuda":
        own = [torch.cuda.current_device() if where.index is None else where.index]
    with torch.random.fork_rng(devices=own):
        torch.default_generator.manual_seed(seed)
        for index in own:
            torch.cuda.default_generators[index].manual_seed(seed)
        yield
