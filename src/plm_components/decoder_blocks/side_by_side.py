"""Linear layers over one input whose weights lie side by side in memory: one product runs them all.

Each stays a parameter of its own, under its own name, so a state dict, an optimizer and a loader
see nothing unusual; only where the numbers lie is arranged. Whoever replaces a parameter, a layer
or its storage undoes that. So it is looked at before every product, and never taken for granted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def bring_together(layers: Sequence[nn.Linear]) -> None:
    """Moves the weights of layers into one stretch of memory, in order; values do not change.

    Does nothing on the meta device, where they lie together already, or where they are not plain
    parameters of one dtype on one device (a DTensor, say): such layers run one by one.
    """
    if any(type(layer) is not nn.Linear for layer in layers):
        return
    weights = [layer.weight for layer in layers]
    if _lie_together(weights) or not _could_lie_together(weights):
        return
    with torch.no_grad():
        joint_FD = torch.cat([weight.detach() for weight in weights])
        parts = torch.split(joint_FD, [len(weight) for weight in weights])
        for weight, part in zip(weights, parts, strict=True):
            weight.data = part


def joint_weight(layers: Sequence[nn.Linear]) -> Tensor | None:
    """One matrix of all rows, a view; None where the layers have to run one by one.

    That is: weights that do not lie together, a layer that something replaced, a hook on one, and
    under ``torch.compile``, which knows no addresses.
    """
    if torch.compiler.is_compiling() or not all(is_untouched(one, nn.Linear) for one in layers):
        return None
    weights = [layer.weight for layer in layers]
    if not _lie_together(weights):
        return None
    if torch.is_grad_enabled() and any(weight.requires_grad for weight in weights):
        joint: Tensor = _Joint.apply(*weights)
        return joint
    return _view(weights)


def joint_product(x: Tensor, layers: Sequence[nn.Linear]) -> Tensor:
    """``torch.cat([layer(x) for layer in layers], dim=-1)``, in one product where that can be."""
    weight = joint_weight(layers)
    if weight is None:
        return torch.cat([layer(x) for layer in layers], dim=-1)
    return F.linear(x, weight)


def is_untouched(module: nn.Module, cls: type[nn.Module]) -> bool:
    """Whether calling a module does what its class says, and nothing else."""
    heard = module._forward_hooks or module._forward_pre_hooks
    heard = heard or module._backward_hooks or module._backward_pre_hooks
    return type(module) is cls and not heard and module._parameters.get("bias") is None


class _Joint(torch.autograd.Function):
    """Several weights as one; the gradient is dealt out in views, nothing is copied."""

    @staticmethod
    def forward(ctx: Any, *weights: Tensor) -> Tensor:
        ctx.rows = [len(weight) for weight in weights]
        return _view(weights)

    @staticmethod
    def backward(ctx: Any, slope_FD: Tensor) -> tuple[Tensor, ...]:
        return tuple(torch.split(slope_FD, ctx.rows))


def _view(weights: Sequence[Tensor]) -> Tensor:
    first, rows = weights[0].detach(), sum(len(weight) for weight in weights)
    return first.as_strided((rows, first.shape[1]), first.stride(), first.storage_offset())


def _could_lie_together(weights: Sequence[Tensor]) -> bool:
    first = weights[0]
    return not first.is_meta and all(
        type(weight) is nn.Parameter
        and (weight.dtype, weight.device) == (first.dtype, first.device)
        for weight in weights
    )


def _lie_together(weights: Sequence[Tensor]) -> bool:
    """Rows of one matrix, in one storage: neighbours by chance have storages of their own."""
    if any(type(weight) is not nn.Parameter for weight in weights):
        return False  # a subclass need not have an address
    first = weights[0]
    storage, place = first.untyped_storage().data_ptr(), first.data_ptr()
    for weight in weights:
        if (
            weight.data_ptr() != place
            or weight.untyped_storage().data_ptr() != storage
            or weight.dtype != first.dtype
            or not weight.is_contiguous()
        ):
            return False
        place += weight.nbytes
    return True
