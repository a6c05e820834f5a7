"""How people put a question: references, wordings, politeness, a missing question mark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from plm_components.data.scene import Scene, Thing


@dataclass(frozen=True)
class Question:
    """One question about a scene and its answer.

    Args:
        type: What it asks for, the unit of evaluation (``where``).
        text: As a user would type it.
        answer: Lower case, no full stop.
    """

    type: str
    text: str
    answer: str


_POLITE = (
    "please ",
    "tell me, ",
    "can you tell me ",
    "tell me ",
    "please tell me ",
    "i want to know ",
)
_ANYTHING = ("shape", "thing", "object", "one")
_ADJECTIVES = ("shiny", "nice", "little", "flat", "cute", "weird", "odd", "plain")


def refer(
    scene: Scene, thing: Thing, lots: Random, *, color: bool = True, shape: bool = True
) -> str | None:
    """A phrase that means this thing and no other; None where there is none.

    Args:
        scene: It stands in.
        thing: To be meant.
        lots: Chooses among the phrases.
        color: Whether the phrase may say its color.
        shape: Whether the phrase may say its shape.
    """
    phrases = []
    others = [other for other in scene.things if other is not thing]
    if shape and all(other.shape != thing.shape for other in others):
        phrases += [f"the {thing.shape}"] * 3
    if color and all(other.color != thing.color for other in others):
        phrases.append(f"the {thing.color} {lots.choice(_ANYTHING)}")
    if color and shape:
        phrases += [f"the {thing.name}"] * 2
    if not others:
        phrases += ["it", f"the {lots.choice(_ANYTHING[:3])}"]
    return lots.choice(phrases) if phrases else None


def word(wordings: Sequence[str], lots: Random, **slots: str) -> str:
    """One of the wordings, filled in and roughened as people do."""
    text = lots.choice(wordings).format(**slots)
    if "{" not in text and lots.random() < 0.02:
        text = _odd_word(text, lots)
    asks = not text.startswith(("describe", "count", "caption", "name", "tell"))
    if lots.random() < 0.06:
        text = lots.choice(_POLITE) + text
    draw = lots.random()
    if draw < 0.7:
        return text + ("?" if asks else ".")
    return text + " ?" if draw < 0.73 and asks else text


def _odd_word(text: str, lots: Random) -> str:
    """With a word that no list holds, so that bytes are not a surprise."""
    if " the " not in text:
        return text
    letters = "".join(lots.choice("abcdefghiklmnoprstuvwy") for _ in range(lots.randint(3, 5)))
    adjective = lots.choice((letters, lots.choice(_ADJECTIVES)))
    return text.replace(" the ", f" the {adjective} ", 1)
