"""One call: a function's outputs, and gradients where they belong to the operation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor

from plm_components.bench.operation import Contender, Function, Operation, Outputs

_Given = TypeVar("_Given")


@dataclass(frozen=True)
class Call:
    """A function under an operation's terms; gradients are off around it.

    Args:
        function: Inputs to outputs.
        differentiable: Which inputs have gradients that are asked for, by position.
    """

    function: Function
    differentiable: tuple[int, ...] = ()

    @classmethod
    def of(cls, operation: Operation, function: Function) -> Call:
        """With gradients where they belong to the operation."""
        return cls(function, operation.differentiable if operation.backward else ())

    def __call__(self, inputs: Sequence[Tensor], cotangents: Sequence[Tensor]) -> Outputs:
        """The outputs, and behind them the gradients under ``cotangents``."""
        if not self.differentiable:
            return _staying(self.function, *inputs)
        with torch.enable_grad():
            outputs = as_tuple(_staying(self.function, *inputs))
        leaves = [inputs[place] for place in self.differentiable]
        gradients = torch.autograd.grad(outputs, leaves, cotangents)
        # a graph that outlives its call ties its leaves to the stream of that call
        return (*(output.detach() for output in outputs), *gradients)

    def names(self, num_outputs: int) -> list[str]:
        """What each tensor of the result is called in a message."""
        outputs = ["output"] if num_outputs == 1 else [f"output {n}" for n in range(num_outputs)]
        return [*outputs, *(f"gradient of input {place}" for place in self.differentiable)]


def prepared(contender: Contender, operation: Operation) -> Function:
    """The contender's function."""
    return _staying(contender.prepare, operation)


def _staying(run: Callable[..., _Given], *given: Any) -> _Given:
    """What a call gives. Who calls ``sys.exit`` has failed, and ends nobody's measurement."""
    try:
        return run(*given)
    except SystemExit as error:
        raise RuntimeError("it called sys.exit") from error


def as_tuple(outputs: Outputs) -> tuple[Tensor, ...]:
    """One tensor or several, as several."""
    return (outputs,) if isinstance(outputs, Tensor) else tuple(outputs)


def copied(inputs: Sequence[Tensor], differentiable: Sequence[int]) -> tuple[Tensor, ...]:
    """Copies of their own memory; those that are differentiated are leaves of the graph."""
    copies = tuple(tensor.detach().clone() for tensor in inputs)
    for place in differentiable:
        copies[place].requires_grad_()
    return copies
