"""From logits to the next ids."""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor

from plm_components.errors import UsageError

# fp32 divides by these; what lies beyond is as good as the likeliest id, or as any id
_COLDEST, _HOTTEST = 1e-30, 1e30


def next_ids(
    logits_BV: Tensor,
    *,
    temperature: float = 0.0,
    top_p: float | None = None,
    generator: Generator | None = None,
) -> Tensor:
    """The likeliest ids, or samples.

    Args:
        logits_BV: ``(B, V)``.
        temperature: 0 takes the likeliest; above it samples.
        top_p: Samples only among the likeliest ids that together reach this probability.
        generator: Source of randomness, on the device of the logits.

    Returns:
        ``(B,)`` int64.

    Raises:
        UsageError: temperature below 0 or infinite, or top_p outside (0, 1].
    """
    check_sampling(temperature, top_p)
    if temperature == 0:
        return logits_BV.argmax(-1)
    # from the largest down, so that no division overflows upwards
    below_BV = logits_BV.float() - logits_BV.float().amax(-1, keepdim=True)
    probabilities_BV = (below_BV / min(max(temperature, _COLDEST), _HOTTEST)).softmax(-1)
    if top_p is not None:
        probabilities_BV = _nucleus(probabilities_BV, top_p)
    return torch.multinomial(probabilities_BV, 1, generator=generator).squeeze(1)


def check_sampling(temperature: float, top_p: float | None) -> None:
    """UsageError where the two make no sense."""
    if not _is_number(temperature) or not 0 <= temperature < math.inf:
        raise UsageError(
            f"temperature is {temperature!r}.",
            where="sampling",
            expected="0 for the likeliest id, or a positive number",
            fix="set temperature=0, or for example 0.7",
        )
    if top_p is not None and not (_is_number(top_p) and 0 < top_p <= 1):
        raise UsageError(
            f"top_p is {top_p!r}.",
            where="sampling",
            expected="a probability above 0 and at most 1",
            fix="set top_p=0.9, or leave it out",
        )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _nucleus(probabilities_BV: Tensor, top_p: float) -> Tensor:
    sorted_BV, order_BV = probabilities_BV.sort(-1, descending=True)
    # the id that crosses the line stays in, so one always remains
    before_BV = sorted_BV.cumsum(-1) - sorted_BV
    kept_BV = sorted_BV.masked_fill(before_BV >= top_p, 0.0)
    return torch.zeros_like(probabilities_BV).scatter(-1, order_BV, kept_BV)
