"""A composition's projector and layers as wholes, where another part could do the same.

They hold kernels that are benched too, so their times must not be added to the kernels'.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from plm_components.assembly import BuiltParts
from plm_components.bench.contenders import variant_name
from plm_components.bench.operation import Operation
from plm_components.bench.operations import BlockSizes, decoder_block, projector
from plm_components.bench.operations.block_surroundings import plain_state
from plm_components.bench.operations.projector import weight_shapes
from plm_components.bench.requests import Request, Stage
from plm_components.bench.use import Use
from plm_components.spec import Part, SpecTree
from plm_components.zoo import Zoo


@dataclass(frozen=True)
class Terms:
    """What all operations of a workload have in common.

    Args:
        dtype: Of everything.
        device: Where they run.
        backward: Whether gradients belong to them.
    """

    dtype: torch.dtype
    device: torch.device
    backward: bool


def whole_parts(
    tree: SpecTree, parts: BuiltParts, request: Request, context: int, terms: Terms, zoo: Zoo
) -> Iterator[Use]:
    """The projector if it has PLM's weights, and layers that have the plain block's.

    Args:
        tree: The composition.
        parts: Built, on meta.
        request: What is asked.
        context: Positions of the prompt.
        terms: Of the operations.
        zoo: How parts are spelled.
    """
    for stage in request.stages:
        if stage == "project":
            yield from _projector(tree, parts, request, terms, zoo)
        elif stage == "prefill" or (stage == "decode" and not terms.backward):
            yield from _blocks(tree, parts, stage, context, terms, zoo)


def _projector(
    tree: SpecTree, parts: BuiltParts, request: Request, terms: Terms, zoo: Zoo
) -> Iterator[Use]:
    part, encoder = tree.parts["projector"], parts.vision_encoder
    if part is None or "pool" not in part.options:
        return
    in_dim, out_dim = encoder.width, parts.decoder.width
    if _shapes(parts.projector) != weight_shapes(in_dim, out_dim):
        return
    options = {"order": part.options["order"]} if "order" in part.options else {}
    nested = {name: zoo.spelling(child.entry) for name, child in part.children.items()}
    operation = projector(
        "projector/whole",
        batch=request.num_tiles,
        grid=encoder.grid(encoder.image_size, encoder.image_size),
        in_dim=in_dim,
        out_dim=out_dim,
        pool=part.options["pool"],
        dtype=terms.dtype,
        device=terms.device,
        backward=terms.backward,
    )
    named = variant_name("projector", zoo.spelling(part.entry), {**options, **nested})
    yield Use(operation, 1, "project", part.path, named)


def _blocks(
    tree: SpecTree, parts: BuiltParts, stage: Stage, context: int, terms: Terms, zoo: Zoo
) -> Iterator[Use]:
    decoder = tree.parts["decoder"]
    for part in () if decoder is None else decoder.children.values():
        layers = parts.instances.get(part.path, [])
        operation = _block(part, layers[0], stage, context, parts, terms) if layers else None
        if operation is not None:
            named = variant_name(part.kind, zoo.spelling(part.entry), {})
            yield Use(operation, len(layers), stage, part.path, named)


def _block(
    part: Part, layer: Any, stage: Stage, context: int, parts: BuiltParts, terms: Terms
) -> Operation | None:
    """The operation of a layer that has the plain block's options and weights."""
    heads = ("num_heads", "num_kv_heads", "ffn_dim")
    if part.kind != "decoder_block" or not set(heads) <= part.options.keys():
        return None
    sizes = BlockSizes(
        batch=1,
        length=context if stage == "prefill" else 1,
        cached=0 if stage == "prefill" else context,
        dim=parts.decoder.width,
        head_dim=layer.head_dim,
        **{name: part.options[name] for name in heads},
    )
    plain = {name: tuple(tensor.shape) for name, tensor in plain_state(sizes).items()}
    if _shapes(layer) != plain:
        return None
    return decoder_block(
        f"decoder_block/{stage}",
        sizes,
        dtype=terms.dtype,
        device=terms.device,
        backward=terms.backward,
    )


def _shapes(module: nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
