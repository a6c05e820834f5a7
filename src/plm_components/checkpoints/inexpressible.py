"""Why a composition cannot leave in PerceptionLM's format: every reason, before a file is written.

Weights that the format cannot hold, or that would compute something else there, are refused.
Inputs it cannot describe are not: see ``export_notes``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, TypeAlias

from plm_components.checkpoints.plm_facts import (
    BLOCKS,
    DECODER,
    ENCODER,
    PROJECTOR,
    PLMFacts,
    part_of,
    plm_facts,
)
from plm_components.errors import Fault
from plm_components.spec import Part, SpecTree
from plm_components.zoo import OURS

ExportFormat: TypeAlias = Literal["hf", "original"]

FORMATS: dict[str, str] = {"hf": "transformers' PerceptionLM", "original": "PerceptionLM's own"}

_PE_NORM_EPS = 1e-5
_ROPE_POSITIONS = 8192
_KEEP = "variant.save(directory) keeps it in our own format"


def inexpressible(tree: SpecTree, format: ExportFormat) -> list[Fault]:
    """Everything that stands in the way.

    Args:
        tree: A resolved spec.
        format: Where it should go.
    """
    foreign = list(_foreign_parts(tree, FORMATS[format]))
    if foreign:
        # options of parts that the format does not know mean nothing to it
        return foreign
    facts = plm_facts(tree)
    specific = _unknown_to_hf(facts) if format == "hf" else _unknown_to_original(facts)
    return [*_unknown_to_both(facts), *specific]


def _foreign_parts(tree: SpecTree, format: str) -> Iterator[Fault]:
    decoder = part_of(tree, "decoder")
    wanted: list[tuple[Part | None, tuple[str, ...]]] = [
        (part_of(tree, "vision_encoder"), (ENCODER,)),
        (part_of(tree, "projector"), (PROJECTOR,)),
        (decoder, (DECODER,)),
        (decoder.children.get("block"), BLOCKS),
    ]
    for part, names in wanted:
        # a block is only missing where the decoder is another one, which is told already
        if part is not None and not _is_one_of(part, names):
            yield Fault(
                f"{part.entry.address} does not exist in {format} format.",
                where=part.path,
                expected=f"{part.kind}/{names[0]}",
                fix=f"{_KEEP}; or train a variant with {part.path}.type={names[0]}",
            )


def _is_one_of(part: Part, names: tuple[str, ...]) -> bool:
    return part.entry.name in names and part.entry.provider.answers_to(OURS)


def _unknown_to_both(facts: PLMFacts) -> Iterator[Fault]:
    eps = facts.encoder["norm_eps"]
    if eps != _PE_NORM_EPS:
        yield _fixed("vision_encoder.norm_eps", eps, _PE_NORM_EPS)
    norm_eps, block_eps = facts.decoder["norm_eps"], facts.block["norm_eps"]
    if norm_eps != block_eps:
        yield Fault(
            f"The decoder's norms add {norm_eps:g} at its end and {block_eps:g} in its blocks.",
            where="decoder.norm_eps, decoder.block.norm_eps",
            expected="one value for all: the format has one",
            fix=f"{_KEEP}; or train with decoder.block.norm_eps={norm_eps:g}",
        )


def _unknown_to_hf(facts: PLMFacts) -> Iterator[Fault]:
    dim, num_heads = facts.decoder["dim"], facts.block["num_heads"]
    if dim % num_heads:
        yield Fault(
            f"{num_heads} heads do not divide {dim} channels.",
            where="decoder.block.num_heads",
            expected="a divisor of decoder.dim: transformers' Llama refuses others, whatever "
            "head_dim says",
            fix=_KEEP,
        )


def _unknown_to_original(facts: PLMFacts) -> Iterator[Fault]:
    dim, num_heads = facts.decoder["dim"], facts.block["num_heads"]
    if facts.head_dim * num_heads != dim:
        yield Fault(
            f"{num_heads} heads of {facts.head_dim} channels are not {dim} channels.",
            where="decoder.block.head_dim",
            expected="heads of dim / num_heads channels: params.json names no other size",
            fix="format='hf' can say it",
        )
    positions = facts.decoder["rope_original_positions"]
    if facts.scales_rope and positions != _ROPE_POSITIONS:
        yield _fixed("decoder.rope_original_positions", positions, _ROPE_POSITIONS)
    if facts.encoder["off_native"] != "reference":
        yield _fixed("vision_encoder.off_native", facts.encoder["off_native"], "reference")


def _fixed(where: str, found: Any, wanted: Any) -> Fault:
    found, wanted = (f"{v:g}" if isinstance(v, float) else str(v) for v in (found, wanted))
    return Fault(
        f"{where} is {found}, and the format has no key for it.",
        where=where,
        expected=f"{wanted}, which its readers take for granted",
        fix=f"{_KEEP}; or set {where}={wanted} if the weights were trained with it",
    )
