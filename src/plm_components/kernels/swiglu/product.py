"""SwiGLU's product as the formula says: the oracle, and what runs without Triton."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import silu


def swiglu(gate_up: Tensor) -> Tensor:
    """``silu(gate) * up`` of a gate and what it gates, side by side.

    Shapes:
        gate_up ``(..., 2 * ffn_dim)``, the gate first -> ``(..., ffn_dim)``.

    Source:
        GLU Variants Improve Transformer, arXiv 2002.05202.
    """
    gate, up = gate_up.chunk(2, dim=-1)
    return silu(gate) * up
