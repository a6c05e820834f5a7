"""What projectors refuse, in one wording."""

from __future__ import annotations

from torch import Generator, Tensor, nn

from plm_components.contracts import Grid
from plm_components.errors import ShapeError, SpecError


def require_tokens(address: str, tokens_BNC: Tensor, grid: Grid, in_dim: int) -> None:
    """Raises ShapeError where the tokens are not ``(B, h*w, in_dim)``."""
    shape = tuple(tokens_BNC.shape)
    if len(shape) != 3 or shape[1:] != (grid.num_tokens, in_dim):
        raise ShapeError(
            f"Tokens of shape {shape} are not a {grid} grid of {in_dim} channels.",
            where=f"{address}, input of forward (grid {grid})",
            expected=f"tokens of shape (B, {grid.num_tokens}, {in_dim}), row-major",
            fix="pass the vision encoder's tokens, with encoder.grid(height, width) of their tile",
        )


def windowed_grid(address: str, grid: Grid, window: int, *, option: str, verb: str) -> Grid:
    """The grid after ``window x window`` tokens became one.

    Args:
        address: Of the projector, for the message.
        grid: The grid before.
        window: Side of the window, in tokens.
        option: Name of the option that sets the window.
        verb: What the projector does to a window, as a participle.

    Raises:
        ShapeError: a side does not divide by the window.
    """
    if grid.h % window or grid.w % window:
        raise ShapeError(
            f"{grid.num_tokens} tokens cannot be {verb} {window}x{window}.",
            where=f"{address}, input of forward (grid {grid})",
            expected=f"grid sides that divide by {option}={window}",
            fix=f"make image_size a multiple of patch_size * {window}, or set projector.{option}=1",
        )
    return Grid(grid.h // window, grid.w // window)


def require_positive(address: str, **options: int) -> None:
    """Raises SpecError for the first option that is not at least 1."""
    for name, value in options.items():
        if value < 1:
            raise SpecError(
                f"{name} is {value}.",
                where=f"{address}, option {name}",
                expected="an integer of at least 1",
                fix=f"set projector.{name} to 1 or more",
            )


def draw_linears(module: nn.Module, generator: Generator | None) -> None:
    """Truncated normals of deviation ``fan_in ** -0.5``, cut at three; norms at the identity."""
    for child in module.modules():
        if isinstance(child, nn.Linear):
            std = child.in_features**-0.5
            nn.init.trunc_normal_(child.weight, std=std, a=-3 * std, b=3 * std, generator=generator)
            if child.bias is not None:
                nn.init.zeros_(child.bias)
        elif isinstance(child, nn.LayerNorm):
            child.reset_parameters()
