"""The average of token windows, over a channels-last view: nothing is copied before the sum."""

from __future__ import annotations

from typing import ClassVar, Literal

from torch import Tensor
from torch.nn import functional as F

from plm_components.contracts import Grid
from plm_components.kernels.pooling.windows import pooled_grid, refuse_activation

_ADDRESS = "pooling/mean"


class MeanPooling:
    """Means over ``window x window`` tokens, after an exact erf GELU if asked.

    Row-major tokens ``(B, h*w, C)`` are a channels-last image, so ``avg_pool2d`` reads them where
    they lie and its result needs no permutation back.

    Shapes:
        tokens_BNC ``(B, h*w, C)`` -> ``(B, (h/window)*(w/window), C)``.

    Raises:
        ShapeError: the tokens are not the grid, or a side does not divide by ``window``.
        UnsupportedError: the activation is unknown.
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
        if window == 1:
            return x_BNC
        x_BhwC = x_BNC.view(len(x_BNC), grid.h, grid.w, x_BNC.shape[2])
        pooled_BChw = F.avg_pool2d(x_BhwC.permute(0, 3, 1, 2), window)
        return pooled_BChw.permute(0, 2, 3, 1).reshape(len(x_BNC), out.num_tokens, x_BNC.shape[2])
