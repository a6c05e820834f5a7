"""One shape for every error: what happened, where, what was expected, how to fix it.

Every class also derives from the builtin a Python programmer would catch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from textwrap import indent
from typing import Any, Self


class PlmError(Exception):
    """Base of every error this package raises on purpose.

    Args:
        what: One sentence, the fault itself.
        where: The address, file or spec path that is at fault.
        expected: What would have been right.
        fix: What to type or change.
    """

    def __init__(self, what: str, *, where: str, expected: str, fix: str) -> None:
        self.what = what
        self.where = where
        self.expected = expected
        self.fix = fix
        super().__init__(what, where, expected, fix)

    def __str__(self) -> str:
        return (
            f"{self.what}\n"
            f"  where:    {self.where}\n"
            f"  expected: {self.expected}\n"
            f"  fix:      {self.fix}"
        )

    def __reduce__(self) -> tuple[object, ...]:
        # keyword-only fields: without this an error does not survive a process boundary
        return (_rebuild, (type(self), self.to_dict()))

    def to_dict(self) -> dict[str, Any]:
        """The four fields, for ``--json``."""
        return {
            "what": self.what,
            "where": self.where,
            "expected": self.expected,
            "fix": self.fix,
        }


def _rebuild(cls: type[PlmError], fields: dict[str, Any]) -> PlmError:
    return cls(
        fields["what"], where=fields["where"], expected=fields["expected"], fix=fields["fix"]
    )


class UnknownComponentError(PlmError, LookupError):
    """No registered component has this exact name."""


class DuplicateComponentError(PlmError, ValueError):
    """Two providers registered one name."""


@dataclass(frozen=True)
class Fault:
    """One thing wrong with a spec, in the fields of an error.

    Args:
        what: One sentence, the fault itself.
        where: Path in the spec (``projector.pool``), or a file.
        expected: What would have been right.
        fix: What to type or change.
    """

    what: str
    where: str
    expected: str
    fix: str

    def __str__(self) -> str:
        return str(PlmError(self.what, where=self.where, expected=self.expected, fix=self.fix))


class SpecError(PlmError, ValueError):
    """A spec is malformed: unknown key, wrong type, cyclic ``base:``, wired option set.

    ``faults`` holds everything that is wrong, and the text lists it all: see ``SpecError.of``.
    """

    def __init__(
        self, what: str, *, where: str, expected: str, fix: str, faults: Sequence[Fault] = ()
    ) -> None:
        self.faults: tuple[Fault, ...] = tuple(faults) or (Fault(what, where, expected, fix),)
        super().__init__(what, where=where, expected=expected, fix=fix)

    @classmethod
    def of(cls, faults: Sequence[Fault], *, spec: str | None = None) -> Self:
        """One error for all faults of a spec.

        Args:
            faults: What is wrong, at least one.
            spec: Name of the spec, for the heading of several faults.
        """
        if len(faults) == 1:
            return cls(**asdict(faults[0]))
        return cls(
            f"{len(faults)} faults in {spec or 'the spec'}.",
            where=", ".join(dict.fromkeys(fault.where for fault in faults)),
            expected="a spec without faults",
            fix="mend each of them",
            faults=faults,
        )

    def __str__(self) -> str:
        if len(self.faults) == 1:
            return super().__str__()
        listed = (f"{n}. {fault}" for n, fault in enumerate(self.faults, start=1))
        return "\n".join([self.what, *(indent(text, "  ") for text in listed)])

    def __reduce__(self) -> tuple[object, ...]:
        fields = {**super().to_dict(), "faults": self.faults}
        return (_rebuild_spec_error, (type(self), fields))

    def to_dict(self) -> dict[str, Any]:
        """The four fields and every fault, for ``--json``."""
        return {**super().to_dict(), "faults": [asdict(fault) for fault in self.faults]}


def _rebuild_spec_error(cls: type[SpecError], fields: dict[str, Any]) -> SpecError:
    return cls(fields.pop("what"), **fields)


class ExportError(SpecError):
    """A composition that another format cannot express; every reason is a fault."""


class ContractError(PlmError, ValueError):
    """Two parts do not fit, or a part breaks the promise of its kind."""


class ShapeError(PlmError, ValueError):
    """A tensor has a shape the part cannot take."""


class MediaError(PlmError, ValueError):
    """An image or a video that cannot be read."""


class TokenizerError(PlmError, ValueError):
    """Text or a conversation that cannot be encoded."""


class CheckpointError(PlmError, ValueError):
    """Weights or a saved variant that cannot be read or do not fit."""


class PluginError(PlmError, RuntimeError):
    """A plugin that cannot be used."""


class UnavailableError(PlmError, RuntimeError):
    """A component whose requirement is missing on this machine."""


class UnsupportedError(PlmError, NotImplementedError):
    """A part was asked for something it declares it cannot do."""


class UsageError(PlmError, ValueError):
    """A public function or the command line was called with arguments that make no sense."""


class MeasurementError(PlmError, ValueError):
    """A table of measurements that cannot be read or written."""


class WrongAnswerError(PlmError, AssertionError):
    """A kernel that was to be timed gives wrong answers, or a time that cannot be."""
