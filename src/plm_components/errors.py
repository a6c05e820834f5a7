"""One shape for every error: what happened, where, what was expected, how to fix it.

Every class also derives from the builtin a Python programmer would catch.
"""

from __future__ import annotations


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

    def to_dict(self) -> dict[str, str]:
        """The four fields, for ``--json``."""
        return {
            "what": self.what,
            "where": self.where,
            "expected": self.expected,
            "fix": self.fix,
        }


def _rebuild(cls: type[PlmError], fields: dict[str, str]) -> PlmError:
    return cls(fields["what"], where=fields["where"], expected=fields["expected"], fix=fields["fix"])


class UnknownComponentError(PlmError, LookupError):
    """No registered component has this exact name."""


class DuplicateComponentError(PlmError, ValueError):
    """Two providers registered one name."""


class SpecError(PlmError, ValueError):
    """A spec is malformed: unknown key, wrong type, cyclic ``base:``, wired option set."""


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
