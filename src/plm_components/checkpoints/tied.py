"""A module's tensors by name, each once, however many names it has.

Tied weights are one parameter under several names. They are saved under the first, and filling
that name fills all, so a tie survives the meta device (``Module.to_empty`` would break it).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class ModuleTensors:
    """What a module keeps in its state dict.

    Args:
        tensors: Parameters and persistent buffers under their first name, in order.
        aliases: Further names of a tied tensor -> its first name.
    """

    tensors: dict[str, Tensor]
    aliases: dict[str, str]

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes by first name."""
        return {name: tuple(tensor.shape) for name, tensor in self.tensors.items()}

    def names_of(self, first: str) -> list[str]:
        """Every name of one tensor."""
        return [first, *(alias for alias, target in self.aliases.items() if target == first)]


def tensors_of(module: nn.Module) -> ModuleTensors:
    """The state dict of a module with ties recognised."""
    tensors: dict[str, Tensor] = {}
    aliases: dict[str, str] = {}
    first_names: dict[int, str] = {}
    for name, tensor in module.state_dict(keep_vars=True).items():
        first = first_names.setdefault(id(tensor), name)
        if first == name:
            tensors[name] = tensor
        else:
            aliases[name] = first
    return ModuleTensors(tensors, aliases)


def set_tensor(module: nn.Module, names: list[str], value: Tensor) -> None:
    """Puts one tensor under all its names, a parameter where a parameter was.

    Args:
        module: The module to change.
        names: Every name of the tensor.
        value: Its new content; used as it is, not copied.
    """
    old = _holder(module, names[0])[2]
    if not isinstance(old, nn.Parameter):
        for name in names:
            owner, attribute, _ = _holder(module, name)
            owner._buffers[attribute] = value
        return
    parameter = nn.Parameter(value, requires_grad=old.requires_grad)
    for name in names:
        owner, attribute, _ = _holder(module, name)
        owner._parameters[attribute] = parameter


def materialise(module: nn.Module, device: torch.device | str) -> None:
    """Gives every meta tensor of a module memory, ties kept; floats start as NaN.

    NaN, so that what nobody fills afterwards is found and never mistaken for a weight.
    """
    state = tensors_of(module)
    for name, tensor in state.tensors.items():
        if tensor.is_meta:
            set_tensor(module, state.names_of(name), empty_like(tensor, device))
    materialise_buffers(module, device)


def materialise_buffers(module: nn.Module, device: torch.device | str) -> None:
    """The same for buffers that no state dict holds; ``init_buffers`` fills them."""
    for owner in module.modules():
        for attribute, buffer in owner._buffers.items():
            if buffer is not None and buffer.is_meta:
                owner._buffers[attribute] = empty_like(buffer, device)


def empty_like(tensor: Tensor, device: torch.device | str) -> Tensor:
    """Memory of the same shape and dtype: NaN for floats, zero for the rest."""
    empty = torch.zeros_like(tensor, device=device, requires_grad=False)
    return empty.fill_(float("nan")) if empty.is_floating_point() else empty


def unfilled(module: nn.Module) -> list[str]:
    """Names of parameters and buffers that are still on meta or hold a NaN."""
    return [
        name
        for name, tensor in _all_tensors(module)
        if tensor.is_meta or (tensor.is_floating_point() and bool(tensor.isnan().any()))
    ]


def _all_tensors(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    yield from module.named_parameters()
    yield from module.named_buffers()


def _holder(module: nn.Module, name: str) -> tuple[nn.Module, str, Tensor | None]:
    path, _, attribute = name.rpartition(".")
    owner = module.get_submodule(path)
    tensor: Tensor | None = owner._parameters.get(attribute)
    if tensor is None:
        tensor = owner._buffers.get(attribute)
    return owner, attribute, tensor
