"""Runs a module on the meta device: shapes, and which parameters matter, before any arithmetic."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain

import torch
from torch import Tensor, nn
from torch.func import functional_call


@dataclass(frozen=True)
class Trace:
    """What one run on the meta device showed.

    Args:
        output: Shape of what came out.
        called: Names of the submodules that ran.
        with_gradient: Names of the parameters that a gradient reaches.
    """

    output: tuple[int, ...]
    called: frozenset[str]
    with_gradient: frozenset[str]


class _Run(nn.Module):
    """Gives a bound method the shape of a module, as ``functional_call`` wants it."""

    def __init__(self, module: nn.Module, run: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.module = module
        self.run = run

    def forward(self, pixels_B3HW: Tensor) -> Tensor:
        return self.run(pixels_B3HW)


def _meta_tensors(module: nn.Module) -> dict[str, Tensor]:
    own = chain(module.named_parameters(), module.named_buffers())
    return {name: _on_meta(tensor) for name, tensor in own}


def _on_meta(tensor: Tensor) -> Tensor:
    dtype = torch.float32 if tensor.is_floating_point() else tensor.dtype
    return torch.empty_like(tensor, device="meta", dtype=dtype, requires_grad=False)


def output_shape(
    module: nn.Module, run: Callable[[Tensor], Tensor], height: int, width: int
) -> tuple[int, ...]:
    """Shape of ``run(pixels (1, 3, height, width))``; ``module`` keeps its own tensors."""
    with torch.no_grad():
        return tuple(_evaluated(module, run, _meta_tensors(module), height, width).shape)


def trace(module: nn.Module, run: Callable[[Tensor], Tensor], height: int, width: int) -> Trace:
    """Runs ``run`` forward and backward on the meta device.

    Args:
        module: Owner of the parameters; its own tensors are neither read nor written.
        run: ``(1, 3, H, W)`` -> any floating tensor, by way of ``module``.
        height: Of the pixels.
        width: Of the pixels.
    """
    called: set[str] = set()
    hooks = [
        child.register_forward_pre_hook(lambda _module, _args, name=name: called.add(name))
        for name, child in module.named_modules()
    ]
    try:
        with torch.inference_mode(False), torch.enable_grad():
            tensors = _meta_tensors(module)
            parameters = {name: tensors[name] for name, _ in module.named_parameters()}
            leaves = [tensor.requires_grad_() for tensor in parameters.values()]
            output = _evaluated(module, run, tensors, height, width)
            gradients = torch.autograd.grad(output.sum(), leaves, allow_unused=True)
    finally:
        for hook in hooks:
            hook.remove()
    reached = {
        name for name, gradient in zip(parameters, gradients, strict=True) if gradient is not None
    }
    return Trace(tuple(output.shape), frozenset(called), frozenset(reached))


def _evaluated(
    module: nn.Module,
    run: Callable[[Tensor], Tensor],
    tensors: dict[str, Tensor],
    height: int,
    width: int,
) -> Tensor:
    # batch norms of one value refuse to train, and a trace must not draw random numbers
    modes = {child: child.training for child in module.modules()}
    prefixed = {f"module.{name}": tensor for name, tensor in tensors.items()}
    pixels_B3HW = torch.empty(1, 3, height, width, device="meta")
    try:
        module.eval()
        output: Tensor = functional_call(_Run(module, run), prefixed, (pixels_B3HW,))
        return output
    finally:
        for child, training in modes.items():
            child.training = training


def remove_idle(module: nn.Module, seen: Trace) -> tuple[str, ...]:
    """Replaces heads and layers behind the tap by identities.

    A submodule goes when it never ran and no gradient reaches any of its parameters.

    Returns:
        Names of the parameters that get no gradient and had to stay.
    """
    removed: set[str] = set()
    for name, child in list(module.named_modules()):
        inside_removed = any(name.startswith(f"{gone}.") for gone in removed)
        if name and not inside_removed and _is_idle(name, child, seen):
            module.set_submodule(name, nn.Identity())
            removed.add(name)
    return tuple(name for name, _ in module.named_parameters() if name not in seen.with_gradient)


def _is_idle(name: str, child: nn.Module, seen: Trace) -> bool:
    parameters = [f"{name}.{inner}" for inner, _ in child.named_parameters()]
    ran = any(other == name or other.startswith(f"{name}.") for other in seen.called)
    return bool(parameters) and not ran and not seen.with_gradient.intersection(parameters)
