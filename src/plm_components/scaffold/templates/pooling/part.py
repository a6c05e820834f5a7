"""The mean of every window by torch's avg_pool2d."""

from __future__ import annotations

from typing import ClassVar, Literal

from plm_components.contracts import Grid
from plm_components.kernels.pooling.windows import pooled_grid, refuse_activation
from torch import Tensor
from torch.nn.functional import avg_pool2d, gelu

_ADDRESS = "pooling/my_part"


class MyPart:
    """Tokens laid out as an image, averaged by a kernel that knows images.

    Shapes:
        tokens_BNC ``(B, h*w, C)`` -> ``(B, (h/window)*(w/window), C)``.

    Raises:
        ShapeError: the tokens are not the grid, or a side does not divide by ``window``.
        UnsupportedError: the activation is unknown.
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
        pooled_grid(_ADDRESS, tokens_BNC, grid, window)
        if activation not in ("none", "gelu"):
            raise refuse_activation(_ADDRESS, activation)
        x_BNC = gelu(tokens_BNC) if activation == "gelu" else tokens_BNC
        image_BChw = x_BNC.mT.unflatten(2, (grid.h, grid.w))
        return avg_pool2d(image_BChw, window).flatten(2).mT
