"""A contender through ``torch.compile``: what a kernel of one's own has to beat."""

from __future__ import annotations

from dataclasses import replace

import torch

from plm_components.bench.operation import Contender, Function, Operation
from plm_components.errors import UnsupportedError


def compiled(contender: Contender) -> Contender:
    """The same function, compiled whole and for one size.

    It is asked at the size that is timed and not at the gate's trials, which would compile for
    seconds each: the verdict counts them as declined.

    Args:
        contender: Whose function is compiled.
    """
    name = f"torch.compile of {contender.part}"

    def prepare(operation: Operation) -> Function:
        if operation.device.type != "cuda":
            raise _declined(name, "compiled on a GPU only: half a minute a size on a CPU")
        if operation.name.endswith("(trial)"):
            raise _declined(name, "compiled at the size that is timed only")
        # dynamo counts compilations by code, and behind eight of them runs uncompiled in silence
        torch._dynamo.reset()
        function: Function = torch.compile(
            contender.prepare(operation), fullgraph=True, dynamic=False
        )
        return function

    return replace(contender, part=name, prepare=prepare)


def _declined(name: str, why: str) -> UnsupportedError:
    return UnsupportedError(
        f"{name} is {why}.", where=name, expected="a GPU, and the size that is timed", fix="none"
    )
