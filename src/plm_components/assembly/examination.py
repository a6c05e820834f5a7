"""What is known of a composition while it is checked: built parts, measured shapes, findings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch

from plm_components.assembly.build import BuiltParts
from plm_components.assembly.report import Chosen
from plm_components.contracts import Grid
from plm_components.errors import Fault, PlmError
from plm_components.spec import Part, SpecTree
from plm_components.zoo import Zoo


@dataclass(frozen=True)
class Finding:
    """A fault and overrides that might mend it.

    Args:
        fault: What does not fit.
        candidates: Overrides to try, the likeliest first.
    """

    fault: Fault
    candidates: tuple[str, ...] = ()


@dataclass
class Examination:
    """A composition on the meta device, and what its parts turned out to do.

    Args:
        tree: The resolved spec.
        zoo: Where its parts come from, for alternatives.
        parts: What could be built.
        device: Type of the device it shall run on.
        dtype: Of its parameters.
        grid: Tokens of a tile behind the encoder.
        tokens_per_tile: Positions of a tile behind the projector.
        largest_request: See ``Totals``.
        outputs: Shape of a part's output, by spec path.
        findings: What does not fit.
        notes: What could not be verified.
        choices: What parts that choose among others take.
    """

    tree: SpecTree
    zoo: Zoo
    parts: BuiltParts
    device: str
    dtype: torch.dtype
    grid: Grid | None = None
    tokens_per_tile: int | None = None
    largest_request: int | None = None
    outputs: dict[str, str] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    choices: list[Chosen] = field(default_factory=list)

    def part(self, slot: str) -> Part | None:
        """The spec's entry of a top-level slot."""
        return self.tree.parts.get(slot)

    def built(self, slot: str) -> tuple[Part, Any] | None:
        """A part and its object, or None where the slot is empty or could not be built."""
        part, instance = self.part(slot), getattr(self.parts, slot)
        return None if part is None or instance is None else (part, instance)

    def find(
        self, what: str, *, where: str, expected: str, fix: str, candidates: tuple[str, ...] = ()
    ) -> None:
        """Notes a fault."""
        self.findings.append(Finding(Fault(what, where, expected, fix), candidates))

    def find_error(self, error: PlmError, where: str, candidates: tuple[str, ...] = ()) -> None:
        """Notes an error as a fault."""
        self.find(
            error.what, where=where, expected=error.expected, fix=error.fix, candidates=candidates
        )


def all_parts(tree: SpecTree) -> Iterator[Part]:
    """Every part of a spec, nested ones behind the part that holds them."""
    for part in tree.parts.values():
        if part is not None:
            yield from with_nested(part)


def with_nested(part: Part) -> Iterator[Part]:
    """A part and everything in it."""
    yield part
    for child in part.children.values():
        if child is not None:
            yield from with_nested(child)
