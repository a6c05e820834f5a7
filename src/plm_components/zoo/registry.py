"""The zoo: exact look-up over everything that is registered."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import NoReturn

from plm_components.errors import DuplicateComponentError, UnknownComponentError
from plm_components.zoo.component import Component, Provider
from plm_components.zoo.discovery import Problem, installed_plugins
from plm_components.zoo.entry import Entry
from plm_components.zoo.hooks import components_of
from plm_components.zoo.kinds import KINDS
from plm_components.zoo.part_file import read_part_file
from plm_components.zoo.suggest import did_you_mean

IN_PYTHON = Provider("python", "unpublished")


class Zoo:
    """Components by kind and name. Names are exact; nothing is ever overwritten.

    ``Zoo()`` is empty; ``Zoo.discover()`` holds our own parts and every installed plugin's.
    """

    def __init__(self) -> None:
        self._entries: dict[tuple[str, str], list[Entry]] = {}
        self.problems: list[Problem] = []

    @classmethod
    def discover(cls) -> Zoo:
        """Our own parts and those of every installed plugin; failures land in ``problems``."""
        from plm_components import __version__, builtins

        zoo = cls()
        ours = Provider("plm-components", __version__)
        zoo._add_all(components_of(builtins, "plm-components"), ours)
        for provider, found in installed_plugins():
            if isinstance(found, Problem):
                zoo.problems.append(found)
            else:
                zoo._add_all(found, provider)
        return zoo

    def add(self, component: Component, *, provider: Provider = IN_PYTHON) -> Entry:
        """Registers a component; the same one twice is one. Clashes are told at look-up."""
        entry = Entry(component, provider)
        same_name = self._entries.setdefault((component.kind, component.name), [])
        if entry not in same_name:
            same_name.append(entry)
        return entry

    def add_file(self, path: str | Path) -> list[Entry]:
        """Registers what a local, unpublished part file declares. Runs that file.

        Raises:
            PluginError: the file is missing, fails, or registers nothing.
        """
        provider, components = read_part_file(path)
        return self._add_all(components, provider)

    def copy(self) -> Zoo:
        """Another zoo with the same entries, to add to without touching this one."""
        other = type(self)()
        other._entries = {key: list(entries) for key, entries in self._entries.items()}
        other.problems = list(self.problems)
        return other

    def entries(self, kind: str | None = None) -> list[Entry]:
        """Everything registered, in order of kinds, then names.

        Raises:
            UnknownComponentError: there is no such kind.
        """
        if kind is not None and kind not in KINDS:
            _unknown_kind(kind)
        order = list(KINDS)
        wanted = [entry for same in self._entries.values() for entry in same]
        wanted = [entry for entry in wanted if kind in (None, entry.kind)]
        return sorted(wanted, key=lambda e: (order.index(e.kind), e.name, e.provider.distribution))

    def get(self, kind: str, name: str) -> Entry:
        """The entry of exactly this name; ``dist:name`` chooses between providers.

        Raises:
            UnknownComponentError: nothing has this kind or name; near misses are named.
            DuplicateComponentError: several providers have it.
        """
        if kind not in KINDS:
            _unknown_kind(kind)
        distribution, _, short = name.rpartition(":")
        found = self._entries.get((kind, short), [])
        if distribution:
            found = [entry for entry in found if entry.provider.answers_to(distribution)]
        if not found:
            self._unknown(kind, name)
        if len(found) > 1:
            _duplicate(found)
        return found[0]

    def _add_all(self, components: Sequence[Component], provider: Provider) -> list[Entry]:
        return [self.add(component, provider=provider) for component in components]

    def _unknown(self, kind: str, name: str) -> NoReturn:
        known = self.entries(kind)
        names = list(dict.fromkeys(entry.name for entry in known))
        words = [entry.qualified for entry in known] if ":" in name else names
        elsewhere = [e.address for e in self.entries() if e.name == name]
        fix = did_you_mean(name, words)
        if fix is None and elsewhere:
            fix = f"{', '.join(elsewhere)} exists, but this place takes a {kind}"
        raise UnknownComponentError(
            f"No {kind} is named {name!r}.",
            where=f"{kind}/{name}",
            expected=f"one of: {', '.join(names)}" if names else f"a registered {kind}",
            fix=(fix or "choose one of these, or install the plugin that has it")
            + self._quarantined(),
        )

    def _quarantined(self) -> str:
        if not self.problems:
            return ""
        names = ", ".join(str(problem.provider) for problem in self.problems)
        return f" (not loaded, may have had it: {names}; see plm doctor)"


def _unknown_kind(kind: str) -> NoReturn:
    raise UnknownComponentError(
        f"There is no kind {kind!r}.",
        where=kind,
        expected=f"one of: {', '.join(KINDS)}",
        fix=did_you_mean(kind, KINDS) or "choose one of these",
    )


def _duplicate(found: Sequence[Entry]) -> NoReturn:
    providers = " and ".join(dict.fromkeys(str(entry.provider) for entry in found))
    choices = list(dict.fromkeys(entry.qualified for entry in found))
    fix = f"choose one by its distribution: type: {' or type: '.join(choices)}"
    if len(choices) == 1:
        targets = " and ".join(entry.component.target for entry in found)
        fix = f"{choices[0]} is both {targets}: one of them needs another name"
    raise DuplicateComponentError(
        f"{found[0].address} is registered more than once: by {providers}.",
        where=found[0].address,
        expected="one provider of a name",
        fix=fix,
    )


@lru_cache(maxsize=1)
def default_zoo() -> Zoo:
    """The zoo that functions use when none is given: discovered once a process."""
    return Zoo.discover()


def list_components(kind: str | None = None, zoo: Zoo | None = None) -> list[Entry]:
    """Declarations with provider and status; imports no torch.

    Raises:
        UnknownComponentError: there is no such kind.
    """
    return (zoo or default_zoo()).entries(kind)


def add_file(path: str | Path, zoo: Zoo | None = None) -> list[Entry]:
    """Registers a local, unpublished part file in ``zoo``, or in the default one.

    Raises:
        PluginError: the file is missing, fails, or registers nothing.
    """
    return (zoo or default_zoo()).add_file(path)
