"""How a constructor's annotations declare nested parts.

``attention: Attention`` is a slot, because the protocol ``Attention`` carries ``__plm_kind__``;
``Annotated[Attention, DefaultPart("sdpa")]`` names the part a spec gets when it is silent.
``Annotated[Candidates, EveryPart("attention")]`` is no slot: the zoo fills it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DefaultPart:
    """Names the component that fills a nested slot when the spec does not.

    Args:
        name: Name within the slot's kind.
    """

    name: str


@dataclass(frozen=True)
class EveryPart:
    """Asks for every other part of a kind, to choose among them: see ``contracts.choosing``.

    Args:
        kind: Kind of the parts.
    """

    kind: str
