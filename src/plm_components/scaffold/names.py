"""What a new distribution is called, in each of the ways its files say it."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from keyword import iskeyword, issoftkeyword

from plm_components.errors import UsageError
from plm_components.zoo import KINDS, Zoo
from plm_components.zoo.suggest import did_you_mean

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
# folders of the distribution itself, which pytest may put on the path
_OURS = frozenset({"tests", "benchmarks", "src"})
_WHERE = "plm plugins new"
# with it the longest line of a template still fits
MAX_PART = 40


@dataclass(frozen=True)
class Names:
    """The names of a distribution with one part.

    Args:
        distribution: As it is installed, ``plm-gated-pool``.
        kind: Of its part.
    """

    distribution: str
    kind: str

    @property
    def package(self) -> str:
        """As it is imported, ``plm_gated_pool``."""
        return self.distribution.replace("-", "_")

    @property
    def part(self) -> str:
        """As a spec writes it, ``gated_pool``."""
        return self.package.removeprefix("plm_")

    @property
    def class_name(self) -> str:
        """``GatedPoolProjector``: the kind behind it, so it is no class that a part imports."""
        part, kind = _camel(self.part), _camel(self.kind)
        # plm-my-attention gives MyAttention, and plm-attention is no Attention
        return part if part.endswith(kind) and part != kind else part + kind

    def refuse_unusable(self, zoo: Zoo) -> None:
        """Raises UsageError where the kind, the spelling or a name that is taken forbids it."""
        if self.kind not in KINDS:
            near = did_you_mean(self.kind, KINDS)
            _refuse(f"There is no kind {self.kind!r}.", f"one of: {', '.join(KINDS)}", near)
        if not _NAME.fullmatch(self.distribution) or not _is_importable(self.part):
            _refuse(
                f"{self.distribution!r} cannot be the name of a distribution with a part.",
                "lower-case words joined by hyphens, such as plm-gated-pool, and no word of Python",
            )
        if len(self.part) > MAX_PART:
            _refuse(
                f"{self.part!r} is too long for the name of a part.",
                f"at most {MAX_PART} characters, so that lines with it keep their length",
            )
        taken = self._taken(zoo)
        if taken:
            _refuse(f"{taken}.", "a name that nothing here has", "choose another name")

    def _taken(self, zoo: Zoo) -> str | None:
        if _is_installed(self.distribution):
            return f"A distribution {self.distribution} is installed already"
        if self.package in _OURS | sys.stdlib_module_names or find_spec(self.package):
            return f"A module {self.package} can be imported already"
        owners = [one.provider for one in zoo.entries(self.kind) if one.name == self.part]
        return f"{self.kind}/{self.part} is already that of {owners[0]}" if owners else None


def _camel(words: str) -> str:
    return "".join(word.capitalize() for word in words.split("_"))


def _is_importable(part: str) -> bool:
    return part.isidentifier() and not iskeyword(part) and not issoftkeyword(part)


def _is_installed(name: str) -> bool:
    try:
        distribution(name)
    except PackageNotFoundError:
        return False
    return True


def _refuse(what: str, expected: str, fix: str | None = None) -> None:
    fix = fix or f"{_WHERE} plm-gated-pool --kind projector"
    raise UsageError(what, where=_WHERE, expected=expected, fix=fix)
