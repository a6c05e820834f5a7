"""One operation as a composition runs it."""

from __future__ import annotations

from dataclasses import dataclass

from plm_components.bench.operation import Operation
from plm_components.bench.requests import Stage

# what stands in slots of its own; everything else is a whole that holds some of these
_KERNELS = ("attention", "pooling")


@dataclass(frozen=True)
class Use:
    """One operation, at its exact size.

    Args:
        operation: What is computed.
        times: How often a request runs it, once a layer for instance.
        stage: When.
        path: Slot of the spec that runs it.
        part: Who the spec names there, as contenders are named.
    """

    operation: Operation
    times: int
    stage: Stage
    path: str
    part: str

    @property
    def is_kernel(self) -> bool:
        """Whether it is a kernel in a slot, rather than a part that holds such kernels."""
        return self.operation.kind in _KERNELS
