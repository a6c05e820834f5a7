"""What projectors promise: token counts before any weight, and the grid they leave."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from plm_components.contracts import Grid
from plm_components.errors import ShapeError
from plm_components.testing.checks.modules import roughened
from plm_components.testing.checks.stimuli import GRIDS, accepted_grid, noise
from plm_components.testing.outcome import Broken, NotApplicable, expect
from plm_components.testing.roster import check
from plm_components.testing.subject import Subject


@check("projector")
def shape_law(subject: Subject) -> None:
    """(B, h*w, in_dim) gives (B, num_tokens(grid), out_dim) on any grid, or both refuse it."""
    part, wired = subject.build_random(), subject.wired()
    accepted_grid(part)
    for grid in GRIDS:
        tokens = noise(2, grid.num_tokens, wired["in_dim"], device=subject.device)
        count = _or_refused(partial(part.num_tokens, grid))
        output = _or_refused(partial(part, tokens, grid))
        want = None if count is None else (2, count, wired["out_dim"])
        got = None if output is None else tuple(output.shape)
        expect(got == want, f"grid {grid}: {got or 'refused'}, promised {want or 'a refusal'}")


@check("projector")
def counts_without_weights(subject: Subject) -> None:
    """num_tokens and the shape of forward are known on the meta device."""
    part, wired = subject.build(device="meta"), subject.wired()
    grid = accepted_grid(part)
    output = part(torch.empty(2, grid.num_tokens, wired["in_dim"], device="meta"), grid)
    want = (2, part.num_tokens(grid), wired["out_dim"])
    expect(tuple(output.shape) == want, f"grid {grid}: {tuple(output.shape)}, not {want}")


@check("projector")
def out_grid_kept(subject: Subject) -> None:
    """out_grid is None, or holds as many places as num_tokens says, refusing what it refuses."""
    part = subject.build(device="meta")
    for grid in GRIDS:
        count = _or_refused(partial(part.num_tokens, grid))
        out = _or_refused(partial(_out_grid, part, grid))
        if out == "no grid":
            continue
        places = None if out is None else Grid(*out).num_tokens
        expect(places == count, f"grid {grid}: out_grid {out}, num_tokens {count}")


@check("projector")
def keeps_places(subject: Subject) -> None:
    """Where there is an out_grid, a token shows most at its own place in it."""
    part = roughened(subject.build_random())
    grid = _oblong(part)
    out = part.out_grid(grid)
    if out is None or min(out) < 2:
        raise NotApplicable(f"out_grid({grid}) is {out}: there is no place to keep")
    for row, column in ((0, grid.w - 1), (grid.h - 1, 0)):
        want = (row * out.h // grid.h, column * out.w // grid.w)
        got = _loudest(subject, part, grid, row * grid.w + column, out)
        expect(
            got == want, f"token ({row}, {column}) of {grid} shows at {got} of {out}, not {want}"
        )


@check("projector")
def refuses_wrong_tokens(subject: Subject) -> None:
    """Tokens that are not the grid, or not in_dim wide, are refused with ShapeError."""
    part, wired = subject.build_random(), subject.wired()
    grid = accepted_grid(part)
    count, width = grid.num_tokens, wired["in_dim"]
    for shape in ((2, count + 1, width), (2, count, width + 1)):
        taken = _or_refused(partial(part, noise(*shape, device=subject.device), grid))
        expect(
            taken is None, f"takes tokens of shape {shape} for a {grid} grid of {width} channels"
        )


def _out_grid(part: Any, grid: Grid) -> Grid | str:
    return part.out_grid(grid) or "no grid"


def _oblong(part: Any) -> Grid:
    """A grid with unequal sides that the part takes."""
    for grid in GRIDS:
        if grid.h != grid.w and min(grid) > 2 and _or_refused(partial(part.num_tokens, grid)):
            return grid
    raise NotApplicable("it takes no oblong grid")


def _loudest(subject: Subject, part: Any, grid: Grid, token: int, out: Grid) -> tuple[int, int]:
    tokens = noise(8, grid.num_tokens, subject.wired()["in_dim"], device=subject.device)
    changed = tokens.clone()
    changed[:, token] += 3 * noise(8, tokens.shape[2], seed=1, device=subject.device)
    moved_M = (part(changed, grid) - part(tokens, grid)).norm(dim=-1).mean(0)
    return divmod(int(moved_M.argmax()), out.w)


def _or_refused(call: Callable[[], Any]) -> Any | None:
    """The result, or None for a ShapeError; another error is the part's fault."""
    try:
        return call()
    except ShapeError:
        return None
    except (RuntimeError, AssertionError) as error:
        raise Broken(f"raised {type(error).__name__} where ShapeError was due: {error}") from error
