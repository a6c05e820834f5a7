"""What a check says of a part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Outcome: TypeAlias = Literal["passed", "failed", "skipped"]


class Broken(AssertionError):
    """Raised by a check: the part breaks a promise. The message says what was seen."""


class NotApplicable(Exception):
    """Raised by a check that has nothing to ask of this part here. The message says why."""


@dataclass(frozen=True)
class CheckResult:
    """The verdict of one check on one part.

    Args:
        check: Name of the check, the function that made it.
        promise: What the part promised, one sentence.
        case: Name of the example the part was built from.
        outcome: ``failed`` also when the part raised something the check did not ask for.
        detail: What was seen, or why nothing was asked; empty when passed.
    """

    check: str
    promise: str
    case: str
    outcome: Outcome
    detail: str = ""

    def __str__(self) -> str:
        line = f"{self.outcome:7} {self.check} [{self.case}]: {self.promise}"
        return f"{line}\n{self.detail}" if self.detail else line


def expect(holds: bool, seen: str) -> None:
    """Raises Broken with what was seen, unless the promise holds."""
    if not holds:
        raise Broken(seen)
