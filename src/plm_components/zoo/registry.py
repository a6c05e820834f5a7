"""The zoo: exact look-up over everything that is registered."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NoReturn

from plm_components.errors import DuplicateComponentError, UnknownComponentError
from plm_components.zoo.choice import Choice
from plm_components.zoo.component import OURS, UNPUBLISHED, Component, Provider
from plm_components.zoo.discovery import installed_plugins
from plm_components.zoo.entry import Entry
from plm_components.zoo.hooks import components_of
from plm_components.zoo.kinds import KINDS
from plm_components.zoo.part_file import read_part_file
from plm_components.zoo.plugin import Plugin
from plm_components.zoo.requirements import forget_versions
from plm_components.zoo.spec_file import SpecFile
from plm_components.zoo.suggest import did_you_mean

IN_PYTHON = Provider("python", UNPUBLISHED)
# plugins an error names; there may be hundreds
_NAMED = 5


class Zoo:
    """Components by kind and name. Names are exact; nothing is ever overwritten.

    ``Zoo()`` is empty; ``Zoo.discover()`` holds our own parts and every installed plugin's.
    """

    def __init__(self) -> None:
        self._entries: dict[tuple[str, str], list[Entry]] = {}
        self.plugins: list[Plugin] = []
        self.complaints: list[str] = []

    @classmethod
    def discover(cls) -> Zoo:
        """Our own parts and those of every installed plugin that ``PLM_PLUGINS`` lets in.

        ``plugins`` says what became of each; ``complaints``, which names in the variable mean none.

        Raises:
            PluginError: a plugin is broken or shadowed, and ``PLM_STRICT_PLUGINS`` is set.
        """
        from plm_components import __version__, builtins

        forget_versions()
        zoo = cls()
        zoo._add_all(
            Entry(component, Provider(OURS, __version__))
            for component in components_of(builtins, OURS)
        )
        choice = Choice.of_environment()
        for plugin in installed_plugins(choice):
            zoo.plugins.append(plugin)
            zoo._add_all(plugin.entries)
        zoo.complaints = choice.unknown(zoo.plugins)
        return zoo

    def add(self, component: Component, *, provider: Provider = IN_PYTHON) -> Entry:
        """Registers a component; the same one twice is one. Clashes are told at look-up."""
        entry = Entry(component, provider)
        self._add_all([entry])
        return entry

    def add_file(self, path: str | Path) -> list[Entry]:
        """Registers what a local, unpublished part file declares. Runs that file.

        Raises:
            PluginError: the file is missing, fails, or registers nothing.
        """
        provider, components = read_part_file(path)
        entries = tuple(Entry(component, provider) for component in components)
        self._add_all(entries)
        self.plugins.append(Plugin(Path(path).stem, provider, str(path), entries))
        return list(entries)

    def copy(self) -> Zoo:
        """Another zoo with the same entries, to add to without touching this one."""
        other = type(self)()
        other._entries = {key: list(entries) for key, entries in self._entries.items()}
        other.plugins = list(self.plugins)
        other.complaints = list(self.complaints)
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

    def get(self, kind: str, name: str, *, by: str | None = None) -> Entry:
        """The entry of exactly this name; ``dist:name`` chooses between providers.

        Args:
            kind: One of ``KINDS``.
            name: The component's, or ``dist:name``.
            by: The distribution that wrote the name down, in a spec that it ships or as a default
                of its part. Of several it means its own, or else ours. None for a user.

        Raises:
            UnknownComponentError: nothing has this kind or name; near misses are named.
            DuplicateComponentError: several providers have it.
        """
        if kind not in KINDS:
            _unknown_kind(kind)
        distribution, _, short = name.rpartition(":")
        found = self._entries.get((kind, short), [])
        if distribution:
            found = _of(distribution, found)
        if not found:
            self._unknown(kind, name)
        if len(found) > 1 and by is not None:
            found = _of(by, found) or _of(OURS, found) or found
        if len(found) > 1:
            _duplicate(found)
        return found[0]

    @property
    def specs(self) -> list[SpecFile]:
        """Every spec that a plugin ships, each file once."""
        return list(dict.fromkeys(spec for plugin in self.plugins for spec in plugin.specs))

    def clashes(self) -> list[list[Entry]]:
        """Entries whose short name means several, name by name: each needs ``dist:name``."""
        return [list(entries) for entries in self._entries.values() if len(entries) > 1]

    def spelling(self, entry: Entry) -> str:
        """How a spec writes exactly this entry: its name, qualified where that means several."""
        alone = len(self._entries.get((entry.kind, entry.name), ())) < 2
        return entry.name if alone else entry.qualified

    def _add_all(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            same_name = self._entries.setdefault((entry.kind, entry.name), [])
            if entry not in same_name:
                same_name.append(entry)

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
            + self._put_aside(),
        )

    def _put_aside(self) -> str:
        aside = [f"{one.provider}, {one.aside}" for one in self.plugins if one.aside is not None]
        if not aside:
            return ""
        named = "; ".join([*aside[:_NAMED], *(["…"] if aside[_NAMED:] else [])])
        return f" (not loaded, may have had it: {named}; see plm plugins doctor)"


def _of(distribution: str, entries: Sequence[Entry]) -> list[Entry]:
    return [entry for entry in entries if entry.provider.answers_to(distribution)]


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
    zoo = Zoo.discover()
    for complaint in zoo.complaints:
        warnings.warn(complaint, stacklevel=2)
    return zoo


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
