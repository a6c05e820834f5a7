"""What every pooling kernel refuses: tokens that are not the grid, windows that do not tile it."""

from __future__ import annotations

from torch import Tensor

from plm_components.contracts.shapes import Grid
from plm_components.errors import ShapeError, UnsupportedError


def pooled_grid(address: str, tokens_BNC: Tensor, grid: Grid, window: int) -> Grid:
    """The grid after pooling.

    Args:
        address: Of the kernel, for the message.
        tokens_BNC: Tokens of the call.
        grid: Their grid.
        window: Side of the pooling window, in tokens.

    Raises:
        ShapeError: the tokens are not ``(B, h*w, C)``, or a side does not divide by ``window``.
    """
    if tokens_BNC.ndim != 3 or tokens_BNC.shape[1] != grid.num_tokens:
        raise ShapeError(
            f"Tokens of shape {tuple(tokens_BNC.shape)} are not a {grid} grid.",
            where=f"{address}, input",
            expected=f"tokens of shape (B, {grid.num_tokens}, C), row-major",
            fix="strip prefix tokens, and pass the grid of these tokens",
        )
    if window < 1 or grid.h % window or grid.w % window:
        raise ShapeError(
            f"{grid.num_tokens} tokens cannot be pooled {window}x{window}.",
            where=f"{address}, input (grid {grid})",
            expected=f"grid sides that divide by window={window}",
            fix="choose image_size and patch_size for such a grid, or use another window",
        )
    return Grid(grid.h // window, grid.w // window)


def refuse_activation(address: str, activation: str) -> UnsupportedError:
    """The error for an activation that is neither ``none`` nor ``gelu``."""
    return UnsupportedError(
        f"{address} knows no activation {activation!r}.",
        where=f"{address}, argument activation",
        expected='"none" or "gelu"',
        fix="apply other activations before the kernel",
    )
