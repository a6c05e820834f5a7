"""Everything that does not fit, as one error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from textwrap import indent
from typing import Any

from plm_components.errors import ContractError, Fault


class UnfitError(ContractError):
    """Parts that do not fit; one fault, or all of them in one text.

    Args:
        faults: What does not fit, at least one.
        edits: Overrides that mend it, where some were found.
    """

    def __init__(self, faults: Sequence[Fault], edits: Sequence[str] = ()) -> None:
        self.faults, self.edits = tuple(faults), tuple(edits)
        first, one = self.faults[0], len(self.faults) == 1
        super().__init__(
            first.what if one else f"{len(self.faults)} things do not fit.",
            where=", ".join(dict.fromkeys(fault.where for fault in self.faults)),
            expected=first.expected if one else "parts that fit",
            fix=first.fix if one else " ".join(self.edits) or "mend each of them",
        )

    def __str__(self) -> str:
        if len(self.faults) == 1:
            return super().__str__()
        listed = (f"{n}. {fault}" for n, fault in enumerate(self.faults, start=1))
        return "\n".join([self.what, *(indent(text, "  ") for text in listed)])

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), (self.faults, self.edits))

    def to_dict(self) -> dict[str, Any]:
        """The four fields and every fault, for ``--json``."""
        return {**super().to_dict(), "faults": [asdict(fault) for fault in self.faults]}
