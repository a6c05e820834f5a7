"""The shortest edit that mends a composition: candidates are tried, never trusted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from time import process_time
from typing import Any

from plm_components.assembly.examination import Examination, Finding
from plm_components.assembly.examine import PartCache, examine
from plm_components.errors import Fault, PlmError
from plm_components.spec import SPEC_SLOTS, SpecTree, load_spec, resolve_part
from plm_components.zoo import Zoo

Try = Callable[[Sequence[str]], Examination]

# of processor time: a report that comes late helps less than one without a proposal
_SECONDS = 3.0


def mend(exam: Examination, cache: PartCache) -> tuple[tuple[str, ...], tuple[Fault, ...]]:
    """Looks for one override a fault, each tried on top of those found before.

    Args:
        exam: What was found.
        cache: Parts built for it.

    Returns:
        Overrides that together mend the composition, or none where a fault has no such edit; and
        the faults, the fix of each being the edit that mends it where one was found.
    """
    data = exam.tree.data

    def attempt(edits: Sequence[str]) -> Examination:
        edited = _edited(exam.tree, data, load_spec(data, edits), exam.zoo)
        return examine(edited, exam.zoo, device=exam.device, dtype=exam.dtype, cache=cache)

    deadline = process_time() + _SECONDS
    edits: list[str] = []
    mended: dict[Fault, str] = {}
    left = list(exam.findings)
    while left:
        finding = left.pop(0)
        found = _first_that_helps(finding, left, edits, attempt, deadline)
        if found is not None:
            mended[finding.fault] = found[0]
            edits.append(found[0])
            left = found[1]
    faults = tuple(_with_fix(finding.fault, mended) for finding in exam.findings)
    whole = bool(edits) and not attempt(edits).findings
    return (tuple(edits) if whole else ()), faults


def _first_that_helps(
    finding: Finding,
    others: Sequence[Finding],
    edits: Sequence[str],
    attempt: Try,
    deadline: float,
) -> tuple[str, list[Finding]] | None:
    """The first candidate after which nothing but some of the other findings is left."""
    known = {_identity(other) for other in others}
    for candidate in finding.candidates:
        if process_time() > deadline:
            return None
        try:
            after = attempt([*edits, candidate])
        except PlmError:
            continue  # the spec itself refuses the value
        if {_identity(left) for left in after.findings} <= known:
            return candidate, list(after.findings)
    return None


def _identity(finding: Finding) -> tuple[str, str]:
    # numbers in the text change when a neighbour is mended; place and kind of fault do not
    return finding.fault.where, finding.fault.fix


def _with_fix(fault: Fault, mended: dict[Fault, str]) -> Fault:
    edit = mended.get(fault)
    return fault if edit is None else Fault(fault.what, fault.where, fault.expected, f"set {edit}")


def _edited(
    tree: SpecTree, before: Mapping[str, Any], after: Mapping[str, Any], zoo: Zoo
) -> SpecTree:
    """The tree of an edited spec; only slots that the edit touches are resolved anew."""
    parts = dict(tree.parts)
    for slot, place in SPEC_SLOTS.items():
        value = after.get(slot)
        if value != before.get(slot):
            part = None if value is None else resolve_part(place.kind, value, zoo, path=slot)
            parts[slot] = part
    return replace(tree, parts=parts, data=dict(after))
