"""Specs become parts: nested parts first, wired arguments by kind, every failure with its path."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch

from plm_components.assembly.wiring import Surroundings, wire
from plm_components.errors import ContractError, PlmError
from plm_components.spec import Part, SpecTree

# in the order they can be wired: a projector needs both its neighbours, a tiler the encoder
MODULE_SLOTS = ("vision_encoder", "decoder", "projector")
MEDIA_SLOTS = ("tokenizer", "image_tiler", "frame_transform", "video_sampler", "video_reader")


@dataclass
class BuiltParts:
    """The parts of a variant, by slot; None where a spec leaves a slot empty.

    Args:
        instances: Every object built for a spec path: one, or one a layer.
    """

    vision_encoder: Any = None
    projector: Any = None
    decoder: Any = None
    tokenizer: Any = None
    image_tiler: Any = None
    frame_transform: Any = None
    video_sampler: Any = None
    video_reader: Any = None
    instances: dict[str, list[Any]] = field(default_factory=dict)


def build(
    tree: SpecTree, *, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32
) -> BuiltParts:
    """Builds all parts of a spec; a missing tokenizer file is an error here.

    Args:
        tree: A resolved spec.
        device: Where parameters go; ``"meta"`` gives shapes without memory.
        dtype: Of parameters.

    Raises:
        PlmError: the first part that cannot be built, with its spec path.
    """
    parts = BuiltParts()
    for slot in (*MODULE_SLOTS, *MEDIA_SLOTS):
        part = tree.parts.get(slot)
        if part is not None:
            setattr(parts, slot, build_slot(part, parts, device=device, dtype=dtype))
    return parts


def build_slot(
    part: Part,
    parts: BuiltParts,
    *,
    device: torch.device | str,
    dtype: torch.dtype = torch.float32,
) -> Any:
    """Builds one top-level part beside those that are built already.

    Args:
        part: A top-level part of the spec.
        parts: What it is wired from; its nested parts are recorded there.
        device: Where parameters go. Parts without parameters stay on the CPU.
        dtype: Of parameters.
    """
    around = Surroundings(part.path, encoder=parts.vision_encoder, decoder=parts.decoder)
    builder = PartBuilder(parts.instances)
    with placed(device, dtype) if part.path in MODULE_SLOTS else nullcontext():
        return builder.build(part, around)


@contextmanager
def placed(device: torch.device | str, dtype: torch.dtype) -> Iterator[None]:
    """Makes new tensors on a device, and new float tensors in a dtype."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device):
            yield
    finally:
        torch.set_default_dtype(before)


class PartBuilder:
    """Builds a part and everything nested in it.

    Args:
        instances: Filled with every object built, by spec path.
    """

    def __init__(self, instances: dict[str, list[Any]]) -> None:
        self.instances = instances

    def build(self, part: Part, around: Surroundings) -> Any:
        """One instance of a part."""
        wired = wire(part.kind, around)
        children = self._children(part, {**part.options, **wired})
        with naming_the_part(part):
            instance = part.cls(*wired.values(), **part.options, **children, **part.candidates)
        self.instances.setdefault(part.path, []).append(instance)
        return instance

    def _children(self, part: Part, values: Mapping[str, Any]) -> dict[str, Any]:
        return {
            name: self._factory(child, values)
            if child.repeated
            else self.build(child, Surroundings(child.path, enclosing=values))
            for name, child in part.children.items()
        }

    def _factory(self, part: Part, values: Mapping[str, Any]) -> Callable[[int], Any]:
        def make(index: int) -> Any:
            around = Surroundings(part.path, enclosing=values, layer_index=index)
            return self.build(part, around)

        return make


@contextmanager
def naming_the_part(part: Part) -> Iterator[None]:
    """Turns whatever a constructor raises into one PlmError that names the spec path."""
    try:
        yield
    except PlmError as error:
        if error.where.startswith(f"{part.path}."):
            raise  # a nested part that was built inside this constructor
        raise _relocated(error, part) from error
    except Exception as error:
        raise ContractError(
            f"{part.entry.address} cannot be built: {type(error).__name__}: {error}",
            where=part.path,
            expected="options the part can be built with",
            fix=f"change the options of {part.path}; plm show {part.entry.address} lists them",
        ) from error


def _relocated(error: PlmError, part: Part) -> PlmError:
    where = f"{part.path} ({error.where})"
    return type(error)(error.what, where=where, expected=error.expected, fix=error.fix)
