"""A small operation, ``gelu(x) * w``, and kernels for it: honest ones, and one cheat each."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from plm_components.bench.operation import Contender, Function, Operation, Stimulus, Work
from plm_components.errors import UnsupportedError

SCALES = {"normal": 1.0, "wide": 3.0, "large": 100.0}


def gated(
    rows: int = 33,
    columns: int = 64,
    *,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
    backward: bool = False,
    trials: bool = True,
) -> Operation:
    """``(R, C), (C,)`` -> ``(R, C)``."""
    where = torch.device(device)

    def draw(generator: Generator, stimulus: Stimulus) -> tuple[Tensor, ...]:
        def drawn(*shape: int) -> Tensor:
            return torch.randn(shape, generator=generator, device=generator.device)

        return (
            (drawn(rows, columns) * SCALES[stimulus]).to(where, dtype),
            drawn(columns).to(where, dtype),
        )

    def odd() -> list[Operation]:
        options: Any = {"dtype": dtype, "device": where, "backward": backward, "trials": False}
        return [gated(*size, **options) for size in ((1, 1), (7, 129))]

    moved = (2 * rows * columns + columns) * dtype.itemsize
    return Operation(
        name="gated",
        kind=None,
        sizes={"rows": rows, "columns": columns},
        dtype=dtype,
        device=where,
        work=Work(flops=8.0 * rows * columns, bytes=float(moved)),
        draw=draw,
        exact=lambda x, w: F.gelu(x.double()) * w.double(),
        plain=plain,
        backward=backward,
        differentiable=(0, 1),
        trials=odd if trials else tuple,
        oracle="plain",
    )


def plain(x: Tensor, w: Tensor) -> Tensor:
    return (F.gelu(x.float()) * w.float()).to(x.dtype)


def contender(make: Callable[[Operation], Function], **options: Any) -> Contender:
    """Named as the function that makes it."""
    return Contender(make.__name__, "tests", "0", make, **options)


def honest(operation: Operation) -> Function:
    return plain


def compiled_late(operation: Operation) -> Function:
    """Its first call takes long."""
    seen: list[bool] = []

    def call(x: Tensor, w: Tensor) -> Tensor:
        if not seen:
            time.sleep(0.05)
            seen.append(True)
        return plain(x, w)

    return call


def stale(operation: Operation) -> Function:
    """Answers into a buffer of its own, and hands that out each time."""
    buffer = torch.empty(0)

    def call(x: Tensor, w: Tensor) -> Tensor:
        nonlocal buffer
        if buffer.shape != x.shape:
            buffer = torch.empty_like(x)
        return buffer.copy_(plain(x, w))

    return call


def one_behind(operation: Operation) -> Function:
    """Gives the answer to the call before."""
    last: list[Tensor] = []

    def call(x: Tensor, w: Tensor) -> Tensor:
        last.append(plain(x, w))
        return last[-2] if len(last) > 1 else last[0].clone()

    return call


def unwritten(operation: Operation) -> Function:
    return lambda x, w: torch.empty_like(x)


def half_written(operation: Operation) -> Function:
    def call(x: Tensor, w: Tensor) -> Tensor:
        out = torch.empty_like(x)
        out[: (len(x) + 1) // 2] = plain(x, w)[: (len(x) + 1) // 2]
        return out

    return call


def doubled(operation: Operation) -> Function:
    return lambda x, w: 2 * plain(x, w)


def shifted(operation: Operation) -> Function:
    return lambda x, w: plain(x, w) + 3


def zeros(operation: Operation) -> Function:
    return lambda x, w: torch.zeros_like(x)


def mutating(operation: Operation) -> Function:
    def call(x: Tensor, w: Tensor) -> Tensor:
        out = plain(x, w)
        x.detach().mul_(0.5)
        return out

    return call


def in_place(operation: Operation) -> Function:
    """The answer where the input was, and no word about it."""

    def call(x: Tensor, w: Tensor) -> Tensor:
        return x.detach().copy_(plain(x, w))

    return call


def view(operation: Operation) -> Function:
    """Nothing is computed."""
    return lambda x, w: x[:]


def by_pointer(operation: Operation) -> Function:
    """Remembers by address, and by the version that autograd counts."""
    known: dict[Any, Tensor] = {}

    def call(x: Tensor, w: Tensor) -> Tensor:
        key = (x.data_ptr(), x._version, x.shape)
        if key not in known:
            known[key] = plain(x, w)
        return known[key].clone()

    return call


def by_shape(operation: Operation) -> Function:
    known: dict[Any, Tensor] = {}

    def call(x: Tensor, w: Tensor) -> Tensor:
        if x.shape not in known:
            known[x.shape] = plain(x, w)
        return known[x.shape].clone()

    return call


def after_the_gate(operation: Operation) -> Function:
    """Right until it has been asked often enough that this must be the timing."""
    calls = 0
    last = torch.empty(0)

    def call(x: Tensor, w: Tensor) -> Tensor:
        nonlocal calls, last
        calls += 1
        if calls <= 12 or last.shape != x.shape:
            last = plain(x, w)
        return last.clone()

    return call


def by_version_after_the_gate(operation: Operation) -> Function:
    """Remembers by address and version, once the gate must be over."""
    known: dict[Any, Tensor] = {}
    calls = 0

    def call(x: Tensor, w: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        key = (x.data_ptr(), x._version)
        if calls <= 12 or key not in known:
            known[key] = plain(x, w)
        return known[key].clone()

    return call


def only_this_shape(operation: Operation) -> Function:
    def call(x: Tensor, w: Tensor) -> Tensor:
        out = plain(x, w)
        if x.shape[1] % 64:
            out[:, x.shape[1] // 64 * 64 :] = 0
        return out

    return call


def declines_odd_shapes(operation: Operation) -> Function:
    def call(x: Tensor, w: Tensor) -> Tensor:
        if x.shape[1] % 64:
            raise UnsupportedError("odd.", where="here", expected="64", fix="pad")
        return plain(x, w)

    return call


def declines(operation: Operation) -> Function:
    raise UnsupportedError("It does no gates.", where="here", expected="sums", fix="another part")


def fails(operation: Operation) -> Function:
    def call(x: Tensor, w: Tensor) -> Tensor:
        raise ZeroDivisionError("oh no")

    return call


def lowered(operation: Operation) -> Function:
    """Computes in bf16."""
    return lambda x, w: (F.gelu(x.bfloat16()) * w.bfloat16()).to(x.dtype)


def wrong_gradient(operation: Operation) -> Function:
    """Right forward."""
    return lambda x, w: plain(x, w.detach()) + 0.5 * (plain(x.detach(), w) - plain(x, w).detach())


def another_thread(operation: Operation) -> Function:
    """Returns before the answer is there."""

    def call(x: Tensor, w: Tensor) -> Tensor:
        out = torch.empty_like(x)

        def later() -> None:
            time.sleep(0.02)
            out.copy_(plain(x, w))

        threading.Thread(target=later).start()
        return out

    return call


def side_stream(operation: Operation) -> Function:
    """Waits for the stream, but lets no one wait for it."""
    side = torch.cuda.Stream()

    def call(x: Tensor, w: Tensor) -> Tensor:
        side.wait_stream(torch.cuda.current_stream())
        out = torch.empty_like(x)
        with torch.cuda.stream(side):
            torch.cuda._sleep(100_000)
            out.copy_(plain(x, w))
        return out

    return call


def side_stream_early(operation: Operation) -> Function:
    """Does not even wait for its inputs."""
    side = torch.cuda.Stream()

    def call(x: Tensor, w: Tensor) -> Tensor:
        out = torch.empty_like(x)
        with torch.cuda.stream(side):
            out.copy_(plain(x, w))
        return out

    return call
