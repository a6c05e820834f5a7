"""What pooling kernels promise: the mean of every window, forward and backward."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from random import Random
from typing import Any, NamedTuple

import torch
from torch import Tensor

from plm_components.contracts import Grid
from plm_components.errors import ShapeError
from plm_components.testing.checks.stimuli import noise
from plm_components.testing.oracles import budget_fault, plain_pooling, pooling_oracle
from plm_components.testing.outcome import Broken, expect
from plm_components.testing.roster import check
from plm_components.testing.subject import Subject

_DTYPES = (torch.float32, torch.bfloat16)


class Call(NamedTuple):
    """One request."""

    grid: Grid
    window: int
    activation: str

    def __str__(self) -> str:
        return f"grid {self.grid}, window {self.window}, activation {self.activation}"


def _drawn(count: int) -> list[tuple[int, int, int]]:
    """Grids of any sides that a window tiles, the same at every start."""
    draw = Random(0)
    windows = [draw.randint(1, 5) for _ in range(count)]
    return [(draw.randint(1, 6) * w, draw.randint(1, 6) * w, w) for w in windows]


_CHOSEN = [(4, 4, 2), (6, 2, 2), (3, 9, 3), (8, 4, 4), (5, 3, 1), (2, 2, 2)]
CALLS = tuple(
    Call(Grid(h, w), window, activation)
    for h, w, window in _CHOSEN + _drawn(4)
    for activation in ("none", "gelu")
)


@check("pooling")
def agrees_with_float64(subject: Subject) -> None:
    """On square and oblong grids, within twice the plain kernel's own error of adaptive pooling."""
    part = subject.build()
    for call, x in _inputs(subject):
        fault = budget_fault(part(x, *call), pooling_oracle(x, *call), plain_pooling(x, *call))
        expect(fault is None, f"{call}, {x.dtype}: {fault}")


@check("pooling")
def gradients_agree(subject: Subject) -> None:
    """Gradients are within twice the plain kernel's own error."""
    part = subject.build()
    for call, x in _inputs(subject):
        exact = _gradient(pooling_oracle, x.double(), call)
        fault = budget_fault(_gradient(part, x, call), exact, _gradient(plain_pooling, x, call))
        expect(fault is None, f"{call}, {x.dtype}: {fault}")


@check("pooling")
def refuses_misfits(subject: Subject) -> None:
    """Windows that do not tile the grid, and tokens that are not the grid, are ShapeErrors."""
    part = subject.build()
    for what, tokens, grid, window in (
        ("window 2 on a 3x4 grid", 12, Grid(3, 4), 2),
        ("window 2 on a 4x3 grid", 12, Grid(4, 3), 2),
        ("17 tokens on a 4x4 grid", 17, Grid(4, 4), 2),
    ):
        try:
            part(noise(2, tokens, 5, device=subject.device), grid, window)
        except ShapeError:
            continue
        except Exception as error:
            raise Broken(f"{what} raises {type(error).__name__}: {error}") from error
        raise Broken(f"{what} is not refused")


@check("pooling")
def dtype_kept(subject: Subject) -> None:
    """The output has the dtype of the tokens, and the tokens are left as they were."""
    part = subject.build()
    for call, x in _inputs(subject):
        before = x.clone()
        got = part(x, *call)
        expect(got.dtype == x.dtype, f"{call}: {x.dtype} in, {got.dtype} out")
        expect(torch.equal(x, before), f"{call}: the tokens were written to")


@check("pooling")
def deterministic(subject: Subject) -> None:
    """The same tokens give the same bits."""
    part = subject.build()
    for call, x in _inputs(subject):
        expect(torch.equal(part(x, *call), part(x, *call)), f"{call}: two runs differ")


@check("pooling")
def shapes_on_meta(subject: Subject) -> None:
    """The shape is known on the meta device."""
    part = subject.build()
    for call, x in _inputs(subject):
        want = (x.shape[0], call.grid.num_tokens // call.window**2, x.shape[2])
        got = tuple(part(x.to("meta"), *call).shape)
        expect(got == want, f"{call}: {got}, not {want}")


def runs(subject: Subject) -> Iterator[tuple[str, Callable[..., Tensor], tuple[Tensor]]]:
    """One call an activation, for who traces it."""
    part = subject.build()
    for call, x in list(_inputs(subject))[:4:2]:
        yield str(call), partial(_with, part, call), (x,)


def _with(part: Any, call: Call, tokens_BNC: Tensor) -> Tensor:
    return part(tokens_BNC, *call)  # type: ignore[no-any-return]


def _inputs(subject: Subject) -> Iterator[tuple[Call, Tensor]]:
    """Wide-range tokens of an odd width."""
    for call in CALLS:
        x = noise(2, call.grid.num_tokens, 13)
        x.view(-1)[::29] *= 10
        for dtype in _DTYPES:
            yield call, x.to(subject.device, dtype)


def _gradient(function: Any, x: Tensor, call: Call) -> Tensor:
    leaf = x.detach().clone().requires_grad_()
    with torch.enable_grad():
        output = function(leaf, *call)
        weights = noise(*output.shape, seed=3).to(output)
        torch.autograd.backward((output * weights).sum())
    if leaf.grad is None:
        raise Broken(f"{call}: no gradient reaches the tokens")
    return leaf.grad
