"""What image tilers promise: uint8 tiles, as many as planned, colours and places kept."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from plm_components.testing.outcome import NotApplicable, expect
from plm_components.testing.roster import check
from plm_components.testing.subject import Subject

# (width, height): native, tiny, wide, tall, odd, large enough for several tiles
_SIZES = ((32, 32), (1, 1), (97, 31), (31, 97), (50, 50), (160, 96), (3000, 7))
_COLOUR = (200, 30, 90)


@check("image_tiler")
def tiles_as_planned(subject: Subject) -> None:
    """Any image becomes uint8 (T, 3, S, S), T as planned from its size, never above the maximum."""
    part = subject.build()
    side, most = part.tile_size, part.max_tiles_per_image()
    expect(side == subject.wired()["tile_size"], f"tile_size is {side}, not what was wired")
    for width, height in _SIZES:
        tiles, planned = part(_solid(width, height)), part.plan(width, height).num_tiles
        want = (planned, 3, side, side)
        seen = f"{width}x{height}: {tuple(tiles.shape)} {tiles.dtype}, planned uint8 {want}"
        expect(tuple(tiles.shape) == want and tiles.dtype == torch.uint8, seen)
        expect(
            planned <= most, f"{width}x{height}: {planned} tiles, max_tiles_per_image says {most}"
        )


@check("image_tiler")
def plan_adds_up(subject: Subject) -> None:
    """A plan of several tiles holds columns x rows of them, and the thumbnail."""
    part = subject.build()
    for width, height in (*_SIZES, (20_000, 20), (20, 20_000)):
        plan = part.plan(width, height)
        several = plan.columns * plan.rows + plan.thumbnail
        right = plan.num_tiles >= 1 and plan.num_tiles in (1, several)
        expect(right, f"{width}x{height}: {plan}")


@check("image_tiler")
def colours_kept(subject: Subject) -> None:
    """An image of one colour becomes tiles of that colour, channels in the order RGB."""
    part = subject.build()
    for width, height in _SIZES:
        off_T3SS = (part(_solid(width, height)).int() - torch.tensor(_COLOUR)[:, None, None]).abs()
        share = float((off_T3SS.amax(1) <= 2).float().mean())
        # a tiler may pad
        expect(share >= 0.2, f"{width}x{height}: {share:.0%} of the pixels have the image's colour")


@check("image_tiler")
def tiles_row_major(subject: Subject) -> None:
    """Tiles run row by row: red grows along columns, green along rows, as in the image."""
    part = subject.build()
    plan = part.plan(320, 320)
    if plan.columns * plan.rows < 2:
        raise NotApplicable("one tile has no order")
    canvas_T3SS = part(_ramps(320, 320))[int(plan.thumbnail) :].float()
    means_2RC = canvas_T3SS[:, :2].mean((2, 3)).T.unflatten(1, (plan.rows, plan.columns))
    red, green = means_2RC
    expect(bool((red.diff(dim=1) > 1).all()), f"red along the columns: {_numbers(red)}")
    expect(bool((green.diff(dim=0) > 1).all()), f"green along the rows: {_numbers(green)}")


@check("image_tiler")
def deterministic(subject: Subject) -> None:
    """The same image gives the same tiles, and is left as it was."""
    part = subject.build()
    image = _ramps(97, 61)
    before = image.copy()
    expect(torch.equal(part(image), part(image)), "two runs differ")
    expect(image.tobytes() == before.tobytes(), "the image was written to")


def _solid(width: int, height: int) -> Image.Image:
    return Image.new("RGB", (width, height), _COLOUR)


def _ramps(width: int, height: int) -> Image.Image:
    """Red grows to the right, green downward."""
    pixels: Any = np.zeros((height, width, 3), np.uint8)
    pixels[..., 0] = np.linspace(0, 255, width)[None]
    pixels[..., 1] = np.linspace(0, 255, height)[:, None]
    return Image.fromarray(pixels)


def _numbers(values: Tensor) -> str:
    return str([[round(float(value)) for value in row] for row in values])
