"""One pass over a composition: resolve, build on meta, measure, compare. Nothing is computed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from plm_components.assembly.budgets import (
    check_positions,
    frames_per_video,
    tiles_per_image,
)
from plm_components.assembly.build import (
    MEDIA_SLOTS,
    MODULE_SLOTS,
    BuiltParts,
    build_slot,
)
from plm_components.assembly.candidates import around_path
from plm_components.assembly.choices import explain_choices
from plm_components.assembly.examination import Examination, all_parts
from plm_components.assembly.grafts import unreadable_weights
from plm_components.assembly.promises import (
    check_attention,
    check_ids,
    check_members,
    check_tile_sizes,
    check_video_slots,
)
from plm_components.assembly.shapes import measure_decoder, measure_encoder, measure_projector
from plm_components.checkpoints import parse_origin
from plm_components.errors import PlmError
from plm_components.spec import Part, SpecTree
from plm_components.zoo import Zoo

# a part and what it was wired from, as text -> (object, nested objects) or the error it raised
PartCache = dict[str, tuple[Any, dict[str, list[Any]]] | PlmError]


def examine(
    tree: SpecTree,
    zoo: Zoo,
    *,
    device: str = "cpu",
    dtype: torch.dtype = torch.float32,
    cache: PartCache | None = None,
) -> Examination:
    """Everything that does not fit, and every shape, of a resolved spec.

    Args:
        tree: What to look at.
        zoo: For alternatives.
        device: Type of device it shall run on.
        dtype: Of parameters.
        cache: Parts built before, kept between passes over almost equal specs.
    """
    exam = Examination(tree, zoo, BuiltParts(), device, dtype)
    built_before: PartCache = {} if cache is None else cache
    for slot in (*MODULE_SLOTS, *MEDIA_SLOTS):
        _build(exam, slot, built_before)
    _check_members_first(exam)
    check_attention(exam)
    check_ids(exam)
    check_video_slots(exam)
    check_tile_sizes(exam)
    check_positions(exam)
    explain_choices(exam)
    _check_weights(exam)
    _describe_outputs(exam)
    return exam


def _check_members_first(exam: Examination) -> None:
    check_members(exam)
    if exam.findings:
        return  # shapes of parts that broke would only repeat it
    measure_encoder(exam)
    measure_projector(exam)
    measure_decoder(exam)


def _build(exam: Examination, slot: str, cache: PartCache) -> None:
    part = exam.part(slot)
    if part is None or not _can_be_wired(exam, part) or not _files_at_hand(exam, part):
        return
    key = _key(exam, part)
    if key not in cache:
        cache[key] = _try_to_build(exam, part)
    result = cache[key]
    if isinstance(result, PlmError):
        exam.find_error(result, result.where, around_path(exam, result.where.partition(" ")[0]))
        return
    instance, nested = result
    setattr(exam.parts, slot, instance)
    exam.parts.instances.update(nested)


def _try_to_build(exam: Examination, part: Part) -> tuple[Any, dict[str, list[Any]]] | PlmError:
    neighbours = exam.parts
    scratch = BuiltParts(vision_encoder=neighbours.vision_encoder, decoder=neighbours.decoder)
    try:
        return build_slot(part, scratch, device="meta", dtype=exam.dtype), scratch.instances
    except PlmError as error:
        return error


def _can_be_wired(exam: Examination, part: Part) -> bool:
    """Whether the neighbours a part is wired from could be built; their own faults say why not."""
    needs = {
        "projector": ("vision_encoder", "decoder"),
        "image_tiler": ("vision_encoder",),
        "frame_transform": ("vision_encoder",),
    }
    missing = [slot for slot in needs.get(part.kind, ()) if getattr(exam.parts, slot) is None]
    if missing:
        exam.notes.append(f"not verified: {part.path}, since {missing[0]} could not be built")
    return not missing


def _files_at_hand(exam: Examination, part: Part) -> bool:
    if part.kind != "tokenizer" or part.cls.files_at_hand(**part.options):
        return True
    exam.notes.append(
        "not verified: token ids and the conversation template, "
        f"since the files of {part.entry.address} are not on this machine"
    )
    return False


def _key(exam: Examination, part: Part) -> str:
    encoder, decoder = exam.parts.vision_encoder, exam.parts.decoder
    wired: Mapping[str, Any] = {
        "projector": (getattr(encoder, "width", None), getattr(decoder, "width", None)),
        "image_tiler": getattr(encoder, "image_size", None),
        "frame_transform": getattr(encoder, "image_size", None),
    }
    return repr((_described(part), wired.get(part.kind), exam.dtype))


def _described(part: Part) -> tuple[Any, ...]:
    children = [
        (name, _described(child)) for name, child in part.children.items() if child is not None
    ]
    return (part.path, part.cls, sorted(part.options.items()), children)


def _check_weights(exam: Examination) -> None:
    try:
        if exam.tree.weights is not None:
            parse_origin(exam.tree.weights, where="weights")
    except PlmError as error:
        exam.find_error(error, error.where)
    for refused in unreadable_weights(exam.tree):
        exam.find_error(refused, refused.where)


def _describe_outputs(exam: Examination) -> None:
    for part in all_parts(exam.tree):
        instances = exam.parts.instances.get(part.path)
        if instances and part.path not in exam.outputs:
            exam.outputs[part.path] = _output(exam, part, instances[0])


def _output(exam: Examination, part: Part, instance: Any) -> str:
    match part.kind:
        case "decoder_block":
            return f"(B, L, {exam.parts.decoder.width})"
        case "attention":
            return f"(B, {instance.num_heads}, L, {instance.head_dim})"
        case "tokenizer":
            return f"{instance.vocab_size:,} ids"
        case "image_tiler":
            side = instance.tile_size
            return f"({tiles_per_image(exam)} at most, 3, {side}, {side})"
        case "frame_transform":
            return f"(F, 3, {instance.tile_size}, {instance.tile_size})"
        case "video_sampler":
            return f"{frames_per_video(exam)} frames at most"
        case "video_reader":
            return "(F, 3, H, W)"
        case _:
            return ""
