"""What a part that computes may promise besides: ``torch.compile`` takes it whole."""

from __future__ import annotations

from typing import ClassVar, Protocol, runtime_checkable


@runtime_checkable
class Compiles(Protocol):
    """A part without a graph break; optional, and true of a class where it says so.

    Whoever compiles a model with ``fullgraph=True`` may rely on it, as far as the parts nested in
    it say the same: no branch on a tensor's value, no operator that torch's tracer does not know.
    """

    compiles: ClassVar[bool]
