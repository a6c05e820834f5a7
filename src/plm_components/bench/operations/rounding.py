"""What may be off because sums are taken in another order."""

from __future__ import annotations

from math import sqrt

import torch


def sum_rounding(num_terms: int) -> float:
    """Relative error of an fp32 sum of so many terms, by the walk that its roundings take.

    In which order a product adds up is each implementation's own, and so is whether it adds all
    tokens or their means: the plain kernel's own error is one draw of many.
    """
    return sqrt(num_terms) * torch.finfo(torch.float32).eps
