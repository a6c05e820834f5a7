"""The exact shapes that a composition runs, found by running it on the meta device.

Nothing is computed: every attention and pooling slot holds a recorder, everything else is priced
operator by operator.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from plm_components.assembly import as_dtype, build, usable_device
from plm_components.assembly.examination import all_parts
from plm_components.bench.contenders import variant_name
from plm_components.bench.costs import Costs
from plm_components.bench.operation import Operation
from plm_components.bench.operations import attention, pooling
from plm_components.bench.operations.masks import mask_of
from plm_components.bench.recording import Call, Recording, with_recorders
from plm_components.bench.requests import TEXT_TOKENS, Request, Stage, request_of
from plm_components.bench.stages import MetaRun
from plm_components.bench.use import Use
from plm_components.bench.whole_parts import Terms, whole_parts
from plm_components.contracts import Grid
from plm_components.spec import SpecTree, load_spec, resolve, spec_name
from plm_components.zoo import Zoo, default_zoo

# what a stage's kernel is for, in the name of its operation
_PURPOSE: dict[Stage, str] = {
    "encode": "vision",
    "project": "projector",
    "prefill": "prefill",
    "decode": "decode",
}
_SLOT: dict[Stage, str] = {
    "encode": "vision_encoder",
    "project": "projector",
    "prefill": "decoder",
    "decode": "decoder",
}
# nobody reads a file or writes a word here
SLOTS = ("vision_encoder", "projector", "decoder", "image_tiler", "video_sampler")


@dataclass(frozen=True)
class Workload:
    """What one request makes a composition run.

    Args:
        spec: Name of the composition.
        request: What was asked.
        context: Positions of the prompt, media and text.
        uses: Kernels in slots, which can be exchanged, and wholes that hold some of them.
        rest: What stands around the kernels, by stage; ``decode`` is one token.
        inside: What of that belongs to a whole, by its stage and path.
        notes: What could not be found out, or cannot be exchanged.
        backward: Whether gradients belong to it; ``rest`` is forward in any case.
    """

    spec: str
    request: Request
    context: int
    uses: tuple[Use, ...]
    rest: Mapping[Stage, Costs]
    inside: Mapping[tuple[Stage, str], Costs]
    notes: tuple[str, ...]
    backward: bool = False


def workload(
    spec: str | Path | Mapping[str, Any],
    input: str,
    *,
    overrides: Sequence[str] = (),
    dtype: str | torch.dtype = "bfloat16",
    device: str | torch.device = "cpu",
    backward: bool = False,
    text_tokens: int = TEXT_TOKENS,
    zoo: Zoo | None = None,
) -> Workload:
    """Every kernel that a request runs, at its exact size, and the price of everything around.

    Args:
        spec: A shipped spec's name, a path, or a mapping.
        input: ``36tiles``, ``1tile``, ``32frames`` (any number), ``prefill`` or ``decode``.
        overrides: Edits such as ``projector.pool=4``.
        dtype: Of parameters and activations.
        device: Where the operations will run; their shapes are found on meta.
        backward: Whether gradients belong to them; a decoding step has none and is left out.
        text_tokens: Positions of the prompt that are no media.
        zoo: Where parts are looked up; the default zoo if None.

    Raises:
        SpecError: the spec cannot be read, or names what does not exist.
        UsageError: no such input, dtype or device.
        ContractError: the prompt is longer than the decoder, or a part cannot be built.
    """
    where_from, target = zoo or default_zoo(), usable_device(device)
    data = load_spec(spec, overrides, zoo=where_from)
    tree = resolve(data, where_from, name=spec_name(spec) or "spec")
    recording = Recording()
    slots = {slot: part for slot, part in tree.parts.items() if slot in SLOTS}
    parts = build(
        with_recorders(replace(tree, parts=slots), recording), device="meta", dtype=as_dtype(dtype)
    )
    request = request_of(input, parts, text_tokens=text_tokens)
    terms = Terms(as_dtype(dtype), target, backward)
    paths = _whole_slots(tree)
    run = MetaRun(parts, recording, request, as_dtype(dtype), paths)
    stages = [stage for stage in request.stages if not (backward and stage == "decode")]
    kernels = _kernels(tree, run, stages, terms, where_from)
    rest = {stage: run.stages[stage] for stage in stages if stage in run.stages}
    return Workload(
        spec=tree.name or "spec",
        request=request,
        context=run.context,
        uses=(*kernels, *whole_parts(tree, parts, request, run.context, terms, where_from)),
        rest={stage: one.costs for stage, one in rest.items()},
        inside={
            (stage, path): one.costs_inside(path) for stage, one in rest.items() for path in paths
        },
        notes=tuple(_notes(tree, run, recording, stages)),
        backward=backward,
    )


def _whole_slots(tree: SpecTree) -> list[str]:
    """Where a part can be benched as a whole: the projector, and every kind of layer."""
    projector, decoder = tree.parts["projector"], tree.parts["decoder"]
    layers = [] if decoder is None else decoder.children.values()
    wholes = [*layers, *([] if projector is None else [projector])]
    return [part.path for part in wholes if part.kind in ("decoder_block", "projector")]


def _kernels(
    tree: SpecTree, run: MetaRun, stages: Sequence[Stage], terms: Terms, zoo: Zoo
) -> Iterator[Use]:
    entries = {part.path: part.entry for part in all_parts(tree)}
    for stage in (stage for stage in stages if stage in run.stages):
        for call, times in run.stages[stage].calls.items():
            named = variant_name(call.kind, zoo.spelling(entries[call.path]), {})
            yield Use(_operation(call, stage, terms), times, stage, call.path, named)


def _operation(call: Call, stage: Stage, terms: Terms) -> Operation:
    sizes: dict[str, Any] = dict(call.sizes)
    name = f"{call.kind}/{_PURPOSE[stage]}"
    if call.kind == "pooling":
        return pooling(
            name,
            batch=sizes["batch"],
            grid=Grid(sizes["grid_height"], sizes["grid_width"]),
            channels=sizes["channels"],
            window=sizes["window"],
            activation=sizes["activation"],
            dtype=call.dtype,
            device=terms.device,
            backward=terms.backward,
        )
    return attention(
        name,
        batch=sizes["batch"],
        num_heads=sizes["num_heads"],
        num_kv_heads=sizes["num_kv_heads"],
        head_dim=sizes["head_dim"],
        num_queries=sizes["num_queries"],
        num_keys=sizes["num_keys"],
        mask=mask_of(sizes),
        dtype=call.dtype,
        device=terms.device,
        backward=terms.backward,
    )


def _notes(
    tree: SpecTree, run: MetaRun, recording: Recording, stages: Sequence[Stage]
) -> Iterator[str]:
    for stage in stages:
        part = tree.parts[_SLOT[stage]]
        address = "" if part is None else part.entry.address
        if stage in run.failures:
            yield f"{stage} is not priced: {address} fails on shapes alone ({run.failures[stage]})"
        elif stage in run.stages and run.stages[stage].costs.has_attention:
            yield f"{stage}: attention inside {address} is its own, and cannot be exchanged"
    for unknown in sorted(recording.unknown):
        yield f"not benched: {unknown}, whose values the meta device does not hold"
