"""What vision encoders refuse, in one wording."""

from __future__ import annotations

from torch import Tensor

from plm_components.errors import ShapeError, SpecError


def require_pixels(address: str, pixels_B3HW: Tensor) -> tuple[int, int]:
    """Height and width of the tiles.

    Raises:
        ShapeError: the pixels are not ``(B, 3, H, W)``.
    """
    if pixels_B3HW.ndim != 4 or pixels_B3HW.shape[1] != 3:
        raise ShapeError(
            f"Pixels of shape {tuple(pixels_B3HW.shape)} are not tiles.",
            where=f"{address}, input of forward",
            expected="pixels of shape (B, 3, H, W)",
            fix="stack the tiles or frames on the first axis, colours on the second",
        )
    return pixels_B3HW.shape[2], pixels_B3HW.shape[3]


def refuse_size(address: str, height: int, width: int, *, expected: str, fix: str) -> ShapeError:
    """The error for a tile whose grid the backbone cannot make."""
    return ShapeError(
        f"A {height}x{width} tile has no token grid here.",
        where=f"{address}, tile of {height}x{width} pixels",
        expected=expected,
        fix=fix,
    )


def bad_option(what: str, *, where: str, option: str, expected: str, fix: str) -> SpecError:
    """The error for one option of a constructor.

    Args:
        what: The fault.
        where: Address of the encoder.
        option: The option's name, dotted where it is a key inside one.
        expected: What would have been right.
        fix: What to change.
    """
    return SpecError(what, where=f"{where}, option {option}", expected=expected, fix=fix)


def normal_layer(address: str, layer: int, num_layers: int) -> int:
    """``layer`` counted from the end: -1 the last, ``-num_layers`` the first.

    Raises:
        SpecError: there is no such layer.
    """
    if not -num_layers <= layer < num_layers:
        raise bad_option(
            f"layer is {layer}, and there are {num_layers}.",
            where=address,
            option="layer",
            expected=f"an integer from {-num_layers} to {num_layers - 1}",
            fix="set vision_encoder.layer=-1 for the last",
        )
    return layer if layer < 0 else layer - num_layers
