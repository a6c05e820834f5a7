"""Liger-Kernel's functional API, imported when a block first runs: its kernels need triton.

Each function says what ``decoder_block/prenorm_gqa_swiglu`` computes in that place; the arguments
are chosen so that Liger's kernel does the same.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from torch import Tensor

from plm_components.errors import UnsupportedError


def rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """``(..., D)`` -> ``(..., D)``: fp32 until the last cast, as our own norm.

    Liger calls that order Gemma's; its default, Llama's, casts before the weight. Not in place: the
    gradient of a norm's output is also the residual's in some graphs.
    """
    normed: Tensor = _liger(x).liger_rms_norm(x, weight, eps, 0.0, "gemma", False)
    return normed


def rotate(q_BHLh: Tensor, k_BGSh: Tensor, rotary: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Queries and keys turned in one kernel, in fp32 since the tables are; half-split.

    The kernel writes into its inputs where they already lie as it wants them, so they must be
    nobody else's.
    """
    cos_BLh, sin_BLh = rotary
    turned = _liger(q_BHLh).liger_rope(q_BHLh, k_BGSh, cos_BLh, sin_BLh)
    # newer versions hand back the tables as well
    return turned[0], turned[1]


def silu_mul(gate: Tensor, up: Tensor) -> Tensor:
    """``silu(gate) * up``, recomputed in the backward pass instead of kept."""
    product: Tensor = _liger(gate).liger_swiglu(gate, up)
    return product


def _liger(x: Tensor) -> Any:
    if x.device.type != "cuda":
        raise UnsupportedError(
            f"decoder_block/liger cannot run on {x.device.type}.",
            where="decoder_block/liger, forward",
            expected="tensors on a CUDA device: Liger's kernels are Triton's",
            fix="move the model to cuda, or set decoder.block.type=prenorm_gqa_swiglu: the same "
            "weights fit",
        )
    return import_module("liger_kernel.transformers.functional")
