"""Which plugins the environment lets in: ``PLM_PLUGINS`` and ``PLM_STRICT_PLUGINS``."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from plm_components.zoo.component import Provider, normal_name
from plm_components.zoo.plugin import Plugin
from plm_components.zoo.suggest import did_you_mean

CHOICE = "PLM_PLUGINS"
STRICT = "PLM_STRICT_PLUGINS"


@dataclass(frozen=True)
class Choice:
    """A list of names: of entry points, or of distributions.

    Args:
        allowed: Only these are let in; None lets in all.
        blocked: These are not, before anything of theirs is imported.
    """

    allowed: tuple[str, ...] | None = None
    blocked: tuple[str, ...] = ()

    @classmethod
    def of_environment(cls) -> Choice:
        """``a,b`` allows, ``-a`` blocks, an empty text lets in none, no variable all."""
        text = os.environ.get(CHOICE)
        if text is None:
            return cls()
        words = [word.strip() for word in text.split(",") if word.strip()]
        blocked = tuple(word[1:].strip() for word in words if word.startswith("-"))
        allowed = tuple(word for word in words if not word.startswith("-"))
        return cls(None if blocked and not allowed else allowed, blocked)

    def refusal(self, plugin: str, provider: Provider) -> str | None:
        """Why a plugin is not let in, or None where it is."""
        names = _names(plugin, provider)
        if _any(self.blocked, names):
            return f"{CHOICE} blocks it"
        if self.allowed is None or _any(self.allowed, names):
            return None
        return f"{CHOICE} does not name it" if self.allowed else f"{CHOICE} is empty"

    def unknown(self, plugins: Sequence[Plugin]) -> list[str]:
        """A sentence for each name in the list that no plugin has; the nearest is named."""
        known = [name for one in plugins for name in (one.provider.distribution, one.name)]
        normal = {normal_name(name) for name in known}
        return [
            f"{CHOICE} names {word!r}, and no installed plugin is called so: {_hint(word, known)}"
            for word in (*(self.allowed or ()), *self.blocked)
            if normal_name(word) not in normal
        ]


def strict() -> bool:
    """Whether a plugin that would be put aside raises instead, as its author wants it."""
    return os.environ.get(STRICT, "") not in ("", "0")


def _hint(word: str, known: Sequence[str]) -> str:
    if not known:
        return "none is installed"
    names = ", ".join(sorted(set(known)))
    return did_you_mean(word, dict.fromkeys(known)) or f"there are {names}"


def _names(plugin: str, provider: Provider) -> set[str]:
    return {normal_name(plugin), normal_name(provider.distribution)}


def _any(words: Iterable[str], names: set[str]) -> bool:
    return any(normal_name(word) in names for word in words)
