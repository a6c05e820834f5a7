"""GELU and the mean of its windows in one Triton kernel: full resolution is read, never written."""

from __future__ import annotations

from typing import ClassVar, Literal

from torch import Tensor

from plm_components.contracts import Grid
from plm_components.kernels.pooling.windows import pooled_grid, refuse_activation
from plm_components.kernels.triton_device import refuse_elsewhere

_ADDRESS = "pooling/triton"


class TritonPooling:
    """Means over ``window x window`` tokens, after an exact erf GELU if asked, in one pass.

    Between the projector's two products the eager order writes the activation at full resolution
    and reads it again; this reads each token once and writes the means alone. For the backward pass
    it keeps its input, which the first product made anyway, and recomputes the slope of GELU.
    Arithmetic is fp32 (float64 for float64 tokens), one rounding at the end.

    Shapes:
        tokens_BNC ``(B, h*w, C)``, any strides -> ``(B, (h/window)*(w/window), C)`` contiguous.

    Raises:
        ShapeError: the tokens are not the grid, or a side does not divide by ``window``.
        UnsupportedError: the activation is unknown; tokens on another device than CUDA, unless
            Triton interprets its kernels (``TRITON_INTERPRET=1``), or of no float dtype.

    Source:
        PerceptionLM, arXiv 2504.13180, section 3; GELU, arXiv 1606.08415; Triton,
        doi 10.1145/3315508.3329973.
    """

    __plm_kind__: ClassVar[str] = "pooling"

    def __call__(
        self,
        tokens_BNC: Tensor,
        grid: Grid,
        window: int,
        activation: Literal["none", "gelu"] = "none",
    ) -> Tensor:
        """``(B, h*w, C)`` -> ``(B, (h/window)*(w/window), C)``."""
        out = pooled_grid(_ADDRESS, tokens_BNC, grid, window)
        if activation not in ("none", "gelu"):
            raise refuse_activation(_ADDRESS, activation)
        if tokens_BNC.is_meta:
            return tokens_BNC.new_empty(len(tokens_BNC), out.num_tokens, tokens_BNC.shape[2])
        refuse_elsewhere(_ADDRESS, tokens_BNC, instead="pooling=mean")
        # listing and building the part needs no triton
        from plm_components.kernels.pooling.pool_windows import pool_windows

        return pool_windows(tokens_BNC, grid, window, gelu=activation == "gelu")
