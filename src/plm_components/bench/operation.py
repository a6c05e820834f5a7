"""What is benched: an operation with its inputs, its truth and its price; and who competes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import torch
from torch import Generator, Tensor

# what inputs look like: standard normals, some of them ten times as large, all of them large
Stimulus = Literal["normal", "wide", "large"]
# exact: within twice the plain kernel's own error against float64
Precision = Literal["exact", "fast"]
Outputs: TypeAlias = Tensor | tuple[Tensor, ...]
Function: TypeAlias = Callable[..., Outputs]


@dataclass(frozen=True)
class Work:
    """The least an implementation has to do.

    Args:
        flops: Floating-point operations; a multiplication and an addition are two.
        bytes: Bytes that must move: every input read once, every output written once.
    """

    flops: float
    bytes: float


@dataclass(frozen=True)
class Operation:
    """One computation at one size, dtype and device, and what is true of it.

    Args:
        name: What is computed, ``attention/prefill``.
        kind: Kind of the parts that compete for it, None where they are no parts.
        sizes: Its sizes by name (``num_queries``), and nothing else that could vary.
        dtype: Of inputs and outputs.
        device: Where it runs.
        work: What it costs at least, backward included where ``backward`` is set.
        draw: Fresh inputs in ``dtype`` on ``device``.
        exact: Inputs to outputs in float64.
        plain: Inputs to outputs by the plain kernel: fp32 inside, ``dtype`` outside.
        backward: Whether the gradients of ``differentiable`` belong to it.
        differentiable: Which inputs have gradients, by position.
        rounding: Inputs to the relative error that outputs are allowed beside the plain kernel's,
            or None. Gradients are allowed none.
        trials: The same computation at odd sizes and under every mask it has, for the gate alone.
        oracle: The contender that the others are compared with, by its part; None where there is
            none.
    """

    name: str
    kind: str | None
    sizes: Mapping[str, int | str]
    dtype: torch.dtype
    device: torch.device
    work: Work
    draw: Callable[[Generator, Stimulus], tuple[Tensor, ...]]
    exact: Function
    plain: Function
    backward: bool = False
    differentiable: tuple[int, ...] = ()
    rounding: Callable[..., float] | None = None
    trials: Callable[[], Iterable[Operation]] = field(default=tuple)
    oracle: str | None = None


@dataclass(frozen=True)
class Contender:
    """Somebody's implementation.

    Args:
        part: Address or name, ``attention/sdpa``.
        provider: Distribution it comes from.
        version: Of the distribution.
        prepare: Builds the function for an operation; raises UnsupportedError with the reason
            where it cannot do it.
        precision: Of outputs; ``fast`` is listed so, and held to correlation and size only.
        gradient_precision: Of gradients.
    """

    part: str
    provider: str
    version: str
    prepare: Callable[[Operation], Function]
    precision: Precision = "exact"
    gradient_precision: Precision = "exact"

    def precision_of(self, operation: Operation) -> Precision:
        """Of all that the operation asks for: ``fast`` where outputs or gradients are."""
        asked = [self.precision, *([self.gradient_precision] if operation.backward else [])]
        return "fast" if "fast" in asked else "exact"
