"""The oracle of pooling: torch's adaptive average, as published."""

from __future__ import annotations

from typing import ClassVar, Literal

from torch import Tensor
from torch.nn import functional as F

from plm_components.contracts import Grid
from plm_components.kernels.pooling.windows import pooled_grid, refuse_activation

_ADDRESS = "pooling/adaptive"


class AdaptivePooling:
    """``adaptive_avg_pool2d`` to the pooled grid: torch chooses the windows, not we.

    Shapes:
        tokens_BNC ``(B, h*w, C)`` -> ``(B, (h/window)*(w/window), C)``.

    Raises:
        ShapeError: the tokens are not the grid, or a side does not divide by ``window``.
        UnsupportedError: the activation is unknown.

    Source:
        PerceptionLM, arXiv 2504.13180, section 3.
    """

    compiles: ClassVar[bool] = True
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
        x_BNC = F.gelu(tokens_BNC) if activation == "gelu" else tokens_BNC
        x_BChw = x_BNC.mT.reshape(len(x_BNC), x_BNC.shape[2], grid.h, grid.w)
        return F.adaptive_avg_pool2d(x_BChw, (out.h, out.w)).flatten(2).mT
