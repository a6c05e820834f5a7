"""What vision encoders promise: one token per patch, row-major, on every grid they accept."""

from __future__ import annotations

import math
from random import Random
from typing import Any

from torch import Tensor

from plm_components.contracts import Grid
from plm_components.errors import ShapeError
from plm_components.testing.checks.stimuli import noise
from plm_components.testing.outcome import Broken, NotApplicable, expect
from plm_components.testing.roster import check
from plm_components.testing.subject import Subject


@check("vision_encoder")
def shape_law(subject: Subject) -> None:
    """(B, 3, H, W) gives (B, h*w, width) on every size it accepts, its own among them."""
    part = subject.build_random()
    side, patch = part.image_size, part.patch_size
    expect(_grid(part, side, side) is not None, f"grid refuses its own image_size {side}")
    for height, width in _sizes(side, patch):
        grid = _grid(part, height, width)
        if grid is None:
            _expect_refused(subject, part, height, width)
            continue
        tokens = part(noise(2, 3, height, width, device=subject.device))
        want = (2, grid.num_tokens, part.width)
        expect(
            tuple(tokens.shape) == want,
            f"{height}x{width} pixels, grid {grid}: {tuple(tokens.shape)}, not {want}",
        )


@check("vision_encoder")
def grid_follows_patches(subject: Subject) -> None:
    """grid(H, W) has H / patch_size rows and W / patch_size columns."""
    part = subject.build(device="meta")
    side, patch = part.image_size, part.patch_size
    for height, width in ((side, side), (side, side + patch), (side + 2 * patch, side)):
        grid, want = _grid(part, height, width), Grid(height // patch, width // patch)
        seen = f"{height}x{width} pixels at patch_size {patch}: grid {grid}, not {want}"
        expect(grid is None or grid == want, seen)


@check("vision_encoder")
def row_major(subject: Subject) -> None:
    """Changing the pixels of one patch changes its own row-major token most."""
    part = subject.build_random()
    grid = _grid(part, part.image_size, part.image_size)
    if grid is None or min(grid) < 2:
        raise NotApplicable(f"grid {grid} has no rows and columns to confuse")
    found = [_loudest(subject, part, grid, place) for place in ((0, 1), (1, 0))]
    expect(found == [(0, 1), (1, 0)], f"patches (0, 1), (1, 0) show at tokens {found} of a {grid}")


@check("vision_encoder")
def normalisation_declared(subject: Subject) -> None:
    """The mean and the std are three finite numbers each, std above zero."""
    part = subject.build(device="meta")
    for name, values in (("mean", part.mean), ("std", part.std)):
        right = len(values) == 3 and all(math.isfinite(value) for value in values)
        expect(right, f"{name} is {values}")
    expect(min(part.std) > 0, f"std is {part.std}")


@check("vision_encoder")
def layer_option(subject: Subject) -> None:
    """The option layer chooses whose output is returned; -1, the last, is the default."""
    option = subject.signature.options.get("layer")
    expect(option is not None and option.default == -1, "there is no option layer with default -1")


def _sizes(side: int, patch: int) -> list[tuple[int, int]]:
    """The native size, wide, tall, small, large, one that no patch divides, and some at random."""
    more, less = side + patch, max(patch, side - patch)
    chosen = [(side, side), (side, more), (more, side), (less, side), (more, more)]
    draw, most = Random(0), side // patch + 2
    drawn = [(patch * draw.randint(1, most), patch * draw.randint(1, most)) for _ in range(3)]
    return [*chosen, (side, side + 1), *drawn]


def _grid(part: Any, height: int, width: int) -> Grid | None:
    try:
        grid: Grid = part.grid(height, width)
    except ShapeError:
        return None
    return grid


def _expect_refused(subject: Subject, part: Any, height: int, width: int) -> None:
    try:
        part(noise(1, 3, height, width, device=subject.device))
    except ShapeError:
        return
    raise Broken(f"grid refuses {height}x{width} pixels, forward takes them")


def _loudest(subject: Subject, part: Any, grid: Grid, place: tuple[int, int]) -> tuple[int, int]:
    """The token that moves most when one patch changes, over several images."""
    row, column = place
    side, patch = part.image_size, part.patch_size
    pixels: Tensor = noise(4, 3, side, side, device=subject.device)
    changed = pixels.clone()
    window = changed[:, :, row * patch : (row + 1) * patch, column * patch : (column + 1) * patch]
    window += 2 * noise(*window.shape, seed=1, device=subject.device)
    moved_N = (part(changed) - part(pixels)).norm(dim=-1).mean(0)
    if len(moved_N) != grid.num_tokens:
        raise NotApplicable(f"{len(moved_N)} tokens are no {grid}: see shape_law")
    return divmod(int(moved_N.argmax()), grid.w)
