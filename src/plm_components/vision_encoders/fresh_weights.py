"""Random weights as a library itself draws them, from a generator of ours."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Generator, nn

from plm_components.seeding import seeded


def draw_fresh(
    module: nn.Module, build: Callable[[], nn.Module], generator: Generator | None
) -> None:
    """Overwrites the state of ``module`` by that of a second one, built on the CPU.

    Few models of timm and transformers can be initialised twice, or on another device; building
    them anew always works. The global random state is left as it was.

    Args:
        module: Receives the state.
        build: Makes a module whose state has every name of ``module``.
        generator: Decides the weights; None takes a number from torch's global one.
    """
    device = "cpu" if generator is None else generator.device
    seed = int(torch.randint(2**62, (), generator=generator, device=device))
    with seeded(seed), torch.device("cpu"):
        fresh = build().state_dict()
    with torch.no_grad():
        for name, tensor in module.state_dict().items():
            tensor.copy_(fresh[name])
