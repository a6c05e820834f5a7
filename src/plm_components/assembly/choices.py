"""What parts that choose among others take, for the calls that a composition makes of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch

from plm_components.assembly.budgets import frames_per_video, tiles_per_image
from plm_components.assembly.candidates import other_components
from plm_components.assembly.examination import Examination, all_parts
from plm_components.assembly.report import Chosen
from plm_components.contracts import (
    AttentionCall,
    Causal,
    CausalCached,
    ChoosesAttention,
    Full,
    Mask,
)
from plm_components.errors import PlmError
from plm_components.spec import Part


class _Stage(NamedTuple):
    name: str
    mask: type[Mask]
    batch: int
    num_queries: int
    num_keys: int


def explain_choices(exam: Examination) -> None:
    """Asks each attention part that chooses what it takes where, and why; nothing is computed."""
    for part in all_parts(exam.tree):
        instances = exam.parts.instances.get(part.path)
        if instances and isinstance(instances[0], ChoosesAttention):
            for stage in _stages(exam, part):
                _explain(exam, part, instances[0], stage)


def _explain(exam: Examination, part: Part, chooser: ChoosesAttention, stage: _Stage) -> None:
    call = AttentionCall(*stage[1:], dtype=exam.dtype, device=torch.device(exam.device))
    try:
        choice = chooser.explain(call)
        spelt = exam.zoo.spelling(exam.zoo.get(part.kind, choice.part))
    except PlmError as error:
        exam.find_error(error, f"{part.path} ({error.where})", other_components(exam, part))
    except Exception as error:
        exam.find(
            f"{part.entry.address} cannot say what it takes: {type(error).__name__}: {error}",
            where=f"{part.path}, explain",
            expected="a Choice, or an UnsupportedError",
            fix=f"report it to {part.entry.provider.distribution}",
            candidates=other_components(exam, part),
        )
    else:
        exam.choices.append(Chosen(part.path, stage.name, spelt, choice.reason, choice.passed_over))


def _stages(exam: Examination, part: Part) -> Iterator[_Stage]:
    """The calls of a whole request: all tiles of the largest medium, then its prompt, then ids."""
    tiles = max(tiles_per_image(exam) or 1, frames_per_video(exam) or 1)
    per_tile = 0 if exam.grid is None else exam.grid.num_tokens
    length = exam.largest_request
    match part.path.partition(".")[0]:
        case "vision_encoder" if per_tile:
            yield _Stage("encode", Full, tiles, per_tile, per_tile)
        case "projector" if per_tile and exam.tokens_per_tile:
            yield _Stage("project", Full, tiles, exam.tokens_per_tile, per_tile)
        case "decoder" if length:
            yield _Stage("prefill", Causal, 1, length, length)
            yield _Stage("decode", CausalCached, 1, 1, length)
