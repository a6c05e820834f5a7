"""What is true of an operation: fresh inputs, their answer in float64, and the plain kernel's."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import get_args

import torch
from torch import Generator, Tensor

from plm_components.bench.call import Call, as_tuple, copied
from plm_components.bench.operation import Function, Operation, Stimulus
from plm_components.errors import ContractError


@dataclass(frozen=True)
class Content:
    """What a call is made on.

    Args:
        inputs: In the operation's dtype; nobody writes to them.
        cotangents: One for each output, in its dtype; empty where there are no gradients.
    """

    inputs: tuple[Tensor, ...]
    cotangents: tuple[Tensor, ...]


@dataclass(frozen=True)
class Truth:
    """The answers to one content: outputs, and behind them gradients.

    Args:
        exact: In float64.
        plain: Of the plain kernel, in the dtypes that are promised.
        rounding: Relative error that outputs are allowed beside the plain kernel's.
        num_outputs: How many of them are outputs.
        is_extreme: Whether the inputs are the large ones.
    """

    exact: tuple[Tensor, ...]
    plain: tuple[Tensor, ...]
    rounding: float
    num_outputs: int
    is_extreme: bool


@dataclass(frozen=True)
class Case:
    """One trial under one stimulus, with its answers."""

    stimulus: Stimulus
    content: Content
    truth: Truth


def fresh_seed() -> int:
    """From the operating system: nothing that a kernel could have seeded."""
    return secrets.randbits(31)


def draw(operation: Operation, generator: Generator, stimulus: Stimulus) -> Content:
    """Fresh inputs, and cotangents where gradients belong to the operation."""
    inputs = operation.draw(generator, stimulus)
    if not operation.backward:
        return Content(inputs, ())
    with torch.no_grad():
        outputs = as_tuple(operation.plain(*inputs))
    return Content(inputs, tuple(_cotangent(output, generator) for output in outputs))


def answers(operation: Operation, content: Content, stimulus: Stimulus) -> Truth:
    """What the content should give.

    Args:
        operation: What is computed.
        content: On what.
        stimulus: What kind of inputs they are.

    Raises:
        ContractError: the plain kernel's own answer is not finite: the operation is at fault.
    """
    wide = Content(_widened(content.inputs), _widened(content.cotangents))
    exact = _asked(operation, operation.exact, wide)
    plain = _asked(operation, operation.plain, content)
    for tensor in (*exact, *plain):
        if not bool(torch.isfinite(tensor).all()):
            raise ContractError(
                f"The oracles of {operation.name} give a value that is not finite.",
                where=f"bench operation {operation.name}, {dict(operation.sizes)}",
                expected="inputs, truth and a plain kernel that stay finite",
                fix=f"draw smaller inputs in {operation.dtype}",
            )
    num_gradients = len(operation.differentiable) if operation.backward else 0
    rounding = 0.0 if operation.rounding is None else operation.rounding(*content.inputs)
    return Truth(exact, plain, rounding, len(exact) - num_gradients, stimulus == "large")


class Truths:
    """Every case of an operation and of its trials, worked out once for all contenders.

    Args:
        operation: What is asked.
        seed: Of all inputs; a fresh one by default.
    """

    def __init__(self, operation: Operation, seed: int | None = None) -> None:
        self.operation = operation
        self.seed = fresh_seed() if seed is None else seed
        self._known: dict[int, tuple[Operation, list[Case]]] = {}

    def __iter__(self) -> Iterator[tuple[Operation, list[Case]]]:
        """The operation itself first, then its trials; a case for each stimulus."""
        for place, trial in enumerate((self.operation, *self.operation.trials())):
            if place not in self._known:
                self._known[place] = (trial, list(self._cases(trial, place)))
            yield self._known[place]

    def _cases(self, trial: Operation, place: int) -> Iterator[Case]:
        # a trial's inputs do not depend on the trials before it
        generator = Generator(trial.device).manual_seed(self.seed + (place << 32))
        for stimulus in get_args(Stimulus):
            content = draw(trial, generator, stimulus)
            yield Case(stimulus, content, answers(trial, content, stimulus))


def _asked(operation: Operation, function: Function, content: Content) -> tuple[Tensor, ...]:
    call = Call.of(operation, function)
    result = call(copied(content.inputs, call.differentiable), content.cotangents)
    return tuple(tensor.detach() for tensor in as_tuple(result))


def _widened(tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
    return tuple(
        tensor.double() if tensor.dtype.is_floating_point else tensor for tensor in tensors
    )


def _cotangent(output: Tensor, generator: Generator) -> Tensor:
    drawn = torch.randn(output.shape, generator=generator, device=generator.device)
    return drawn.to(output.dtype)
