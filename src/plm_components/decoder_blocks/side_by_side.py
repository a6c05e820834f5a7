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

# what a call of a module runs besides its forward
_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


def bring_together(layers: Sequence[nn.Linear]) -> None:
    """Moves the weights of layers into one stretch of memory, in order; values do not change.

    Does nothing on the meta device, where they lie together already, or where they are not plain
    parameters of one dtype on one device (a DTensor, say): such layers run one by one.
    """
    if any(type(layer) is not nn.Linear for layer in layers):
        return
    weights = [layer.weight for layer in layers]
    if not _could_lie_together(weights) or _lie_together(weights):
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
    if not _could_lie_together(weights) or not _lie_together(weights):
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
    plain = type(module) is cls and not any(getattr(module, name) for name in _HOOKS)
    return plain and getattr(module, "bias", None) is None


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
    return all(
        type(weight) is nn.Parameter
        and not weight.is_meta
        and weight.is_contiguous()
        and (weight.dtype, weight.device) == (first.dtype, first.device)
        for weight in weights
    )


def _lie_together(weights: Sequence[Tensor]) -> bool:
    storage, place = weights[0].untyped_storage().data_ptr(), weights[0].data_ptr()
    for weight in weights:
        # neighbours by chance are of different storages
        if weight.data_ptr() != place or weight.untyped_storage().data_ptr() != storage:
            return False
        place += weight.nbytes
    return True
