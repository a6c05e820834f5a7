"""Which parts a name on the command line means."""

from __future__ import annotations

from plm_components.errors import UnknownComponentError
from plm_components.zoo import Entry, Zoo
from plm_components.zoo.kinds import KINDS
from plm_components.zoo.suggest import did_you_mean


def select(name: str, zoo: Zoo) -> list[Entry]:
    """The entries a name means.

    Args:
        name: An address (``projector/linear``, ``projector/plm-foo:linear``), a distribution
            (``plm-foo``), a kind (``projector``), or the path of a part file (``./my_part.py``),
            which is run and added to the zoo.
        zoo: Where to look.

    Raises:
        UnknownComponentError: nothing is meant by it.
        PluginError: a part file that fails.
    """
    if name.endswith(".py"):
        return zoo.add_file(name)
    if name in KINDS:
        return zoo.entries(name)
    kind, slash, short = name.partition("/")
    if slash:
        return [zoo.get(kind, short)]
    found = [entry for entry in zoo.entries() if entry.provider.answers_to(name)]
    return found or _unknown(name, zoo)


def _unknown(name: str, zoo: Zoo) -> list[Entry]:
    known = dict.fromkeys(entry.provider.distribution for entry in zoo.entries())
    words = [*known, *KINDS, *(entry.address for entry in zoo.entries())]
    raise UnknownComponentError(
        f"Nothing in the zoo is called {name!r}.",
        where=name,
        expected="an address, a kind, a part file ending in .py, or one of the distributions: "
        + ", ".join(known),
        fix=did_you_mean(name, words) or "install the distribution, or give the path of its file",
    )
