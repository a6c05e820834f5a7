"""What inputs look like: drawn anew each time, in ranges that real activations have and beyond."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from plm_components.bench.operation import Stimulus

# activations of a vision transformer have outliers of this size, in a few of a hundred channels
_OUTLIER = 10.0
_OUTLIERS = 0.02
# queries and keys both: scores in the hundreds, where a careless exponential overflows
_LARGE = 8.0


def drawn(
    shape: tuple[int, ...],
    generator: Generator,
    stimulus: Stimulus,
    *,
    dtype: torch.dtype,
    device: torch.device,
) -> Tensor:
    """Standard normals, some of them ten times as large (``wide``), or all eight times (``large``).

    Args:
        shape: Of the tensor.
        generator: Where the numbers come from; they are drawn on its device.
        stimulus: Which of the three.
        dtype: Of the tensor; numbers are drawn in fp32 and rounded.
        device: Of the tensor.
    """
    x = torch.randn(shape, generator=generator, device=generator.device)
    if stimulus == "wide":
        chance = torch.rand(shape, generator=generator, device=generator.device)
        x = torch.where(chance < _OUTLIERS, x * _OUTLIER, x)
    elif stimulus == "large":
        x = x * _LARGE
    return x.to(device=device, dtype=dtype)
