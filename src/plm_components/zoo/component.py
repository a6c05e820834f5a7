"""A component's declaration and who provides it: plain data, nothing imported."""

from __future__ import annotations

import re
from dataclasses import dataclass

from plm_components.errors import ContractError
from plm_components.zoo.kinds import KINDS
from plm_components.zoo.suggest import did_you_mean

# the distribution of our own parts and specs
OURS = "plm-components"
# the version of what no distribution provides
UNPUBLISHED = "unpublished"

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_DOTTED = r"[^\W\d]\w*(\.[^\W\d]\w*)*"
_TARGET = re.compile(rf"{_DOTTED}:{_DOTTED}")


@dataclass(frozen=True)
class Component:
    """One interchangeable part, declared by strings so that listing it imports nothing.

    Args:
        kind: One of ``KINDS``.
        name: Lower-case identifier, unique within the kind.
        target: Class that builds it, ``package.module:Class``; imported on first use.
        summary: One line for ``plm list``.
        contract: Version of the kind's contract it was written for.
        requires: What it needs besides Python: distributions as in a requirements file
            (``triton>=3.3``) and devices (``cuda``, ``mps``).

    Raises:
        ContractError: a field is malformed.
    """

    kind: str
    name: str
    target: str
    summary: str = ""
    contract: int = 1
    requires: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            self._refuse(
                f"There is no kind {self.kind!r}.",
                f"one of: {', '.join(KINDS)}",
                did_you_mean(self.kind, KINDS) or "choose one of these kinds",
            )
        if not isinstance(self.name, str) or not _NAME.fullmatch(self.name):
            self._refuse(
                f"{self.name!r} cannot be a component's name.",
                "a lower-case identifier such as gated_pool",
                "rename the component",
            )
        if not isinstance(self.target, str) or not _TARGET.fullmatch(self.target):
            self._refuse(
                f"{self.target!r} cannot be a component's target.",
                "package.module:Class, as text",
                "name the module, a colon, and the class in it",
            )
        self._check_rest()

    def _check_rest(self) -> None:
        if not isinstance(self.summary, str) or "\n" in self.summary:
            self._refuse("The summary is not one line.", "one line of text", "shorten the summary")
        if type(self.contract) is not int or self.contract < 1:
            self._refuse(
                f"{self.contract!r} cannot be a contract version.",
                "a whole number from 1",
                f"contract={KINDS[self.kind].contract}",
            )
        requires: object = self.requires
        listed = isinstance(requires, tuple | list)
        if not listed or not all(isinstance(one, str) for one in self.requires):
            self._refuse(
                f"requires={requires!r} is not a tuple of text.",
                'a tuple such as ("triton>=3.3", "cuda")',
                "put a comma after a single requirement",
            )
        object.__setattr__(self, "requires", tuple(self.requires))

    @property
    def address(self) -> str:
        """``kind/name``."""
        return f"{self.kind}/{self.name}"

    def _refuse(self, what: str, expected: str, fix: str) -> None:
        raise ContractError(what, where=f"component {self.address}", expected=expected, fix=fix)


@dataclass(frozen=True)
class Provider:
    """Where a component comes from.

    Args:
        distribution: An installed distribution's name, or the path of a part file.
        version: Its version; ``unpublished`` for a part file.
        sha256: Hash of a part file, hexadecimal; None for a distribution.
    """

    distribution: str
    version: str
    sha256: str | None = None

    def answers_to(self, name: str) -> bool:
        """Whether ``name`` before a colon means this provider (PEP 503: ``-``, ``_``, case)."""
        return name == self.distribution or normal_name(name) == normal_name(self.distribution)

    def __str__(self) -> str:
        if self.sha256 is None:
            return f"{self.distribution} {self.version}"
        return f"{self.distribution} ({self.version}, sha256 {self.sha256[:12]})"


def normal_name(distribution: str) -> str:
    """As package indexes compare names (PEP 503); a path of a part file stays as it is."""
    if "/" in distribution:
        return distribution
    return re.sub(r"[-_.]+", "-", distribution).lower()
