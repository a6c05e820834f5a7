"""Every other part of a kind, for a part that chooses among them: told of, not yet imported."""

from __future__ import annotations

import inspect
from collections import Counter
from dataclasses import dataclass
from typing import Any

from plm_components.errors import DuplicateComponentError, UnsupportedError
from plm_components.spec.signature import PartSignature, signature_of
from plm_components.zoo import Entry, Zoo


@dataclass(frozen=True)
class PartOffer:
    """An ``Offer`` of ``contracts.choosing``, out of the zoo.

    Args:
        entry: Its line of the zoo.
        is_alone: Whether no other part has its qualified name.
    """

    entry: Entry
    is_alone: bool = True

    @property
    def address(self) -> str:
        """``kind/name``."""
        return self.entry.address

    @property
    def distribution(self) -> str:
        """Distribution that it comes from, or the path of a part file."""
        return self.entry.provider.distribution

    @property
    def version(self) -> str:
        """Of the distribution, or of a part file, and of what it needs: see ``Entry.edition``."""
        return self.entry.edition

    @property
    def status(self) -> str:
        """``available``, or in one word why not."""
        return self.entry.status if self.is_alone else "ambiguous"

    @property
    def reason(self) -> str | None:
        """Why it is not available, or the devices it asks for (``needs cuda``)."""
        return self.entry.reason if self.is_alone else "shares its name with another part"

    def load(self) -> type[Any]:
        """Imports its class, which can be built from what its kind wires.

        Raises:
            DuplicateComponentError: its qualified name means several.
            UnavailableError: a requirement or a device is missing, or the contract differs.
            PluginError: the target cannot be imported or is no class.
            ContractError: its constructor breaks a rule.
            UnsupportedError: it needs more than its kind wires, or chooses among others itself.
        """
        if not self.is_alone:
            raise DuplicateComponentError(
                f"{self.entry.qualified} means several parts.",
                where=self.address,
                expected="one part of a qualified name",
                fix=f"report it to {self.distribution}",
            )
        cls = self.entry.load()
        if signature_of(cls, self.entry.kind).candidates:
            self._refuse("chooses among others itself")
        needed = [p.name for p in inspect.signature(cls).parameters.values() if _is_needed(p)]
        if needed:
            self._refuse(f"needs {', '.join(needed)}, which only a spec can say")
        return cls

    def _refuse(self, why: str) -> None:
        raise UnsupportedError(
            f"{self.address} cannot be chosen: it {why}.",
            where=f"{self.address}, from {self.entry.provider}",
            expected="a part built from what its kind wires alone",
            fix=f"name it in the spec: type: {self.entry.qualified}",
        )


def offers_of(zoo: Zoo, kind: str, *, but: Entry | None = None) -> dict[str, PartOffer]:
    """Every part of a kind by its qualified name, in order of names.

    Args:
        zoo: Where they are registered; what is blocked or quarantined is not.
        kind: Their kind.
        but: The part that asks.

    Raises:
        UnknownComponentError: there is no such kind.
    """
    others = [entry for entry in zoo.entries(kind) if entry != but]
    counts = Counter(entry.qualified for entry in others)
    return {e.qualified: PartOffer(e, counts[e.qualified] == 1) for e in others}


def candidates_of(
    signature: PartSignature, zoo: Zoo, *, but: Entry
) -> dict[str, dict[str, PartOffer]]:
    """What the assembler passes to a constructor that asks for every part of a kind, by argument.

    Args:
        signature: Of the constructor.
        zoo: Where the others are registered.
        but: The part itself.
    """
    return {name: offers_of(zoo, kind, but=but) for name, kind in signature.candidates.items()}


def _is_needed(parameter: inspect.Parameter) -> bool:
    bare = parameter.default is inspect.Parameter.empty
    return bare and parameter.kind is inspect.Parameter.KEYWORD_ONLY
