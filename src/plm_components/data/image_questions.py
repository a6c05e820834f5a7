"""What can be asked about a picture, in many wordings."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TypeAlias

from plm_components.data.nouns import COLORS, NUMBERS, PLACES, SHAPES, article
from plm_components.data.phrasing import Question, refer, word
from plm_components.data.scene import Scene, Thing

Asker: TypeAlias = Callable[[Scene, Random], Question | None]

PICTURE = ("image", "picture", "photo")


def ask_about_image(scene: Scene, lots: Random, kind: str) -> Question | None:
    """A question of this type; None where the scene offers none.

    Args:
        scene: To be asked about.
        lots: Chooses the thing, the wording and the roughness.
        kind: One of ``IMAGE_TYPES``.
    """
    return _ASKERS[kind](scene, lots)


def color_wordings(scene: Scene, lots: Random) -> Question | None:
    """What color a thing is."""
    thing = lots.choice(scene.things)
    ref = refer(scene, thing, lots, color=False)
    if ref is None:
        return None
    return Question("color", word(_COLOR, lots, ref=ref), thing.color)


def shape_wordings(scene: Scene, lots: Random) -> Question | None:
    """What shape a thing is."""
    thing = lots.choice(scene.things)
    ref = refer(scene, thing, lots, shape=False)
    if ref is None:
        return None
    if thing.color in ref and lots.random() < 0.5:
        return Question(
            "shape", word(_SHAPE_OF_COLOR, lots, color=thing.color), article(thing.shape)
        )
    return Question("shape", word(_SHAPE, lots, ref=ref), article(thing.shape))


def count_wordings(scene: Scene, lots: Random, *, medium: tuple[str, ...]) -> Question | None:
    """How many things there are, of a shape or in all."""
    pictured = lots.choice(medium)
    if lots.random() < 0.6:
        number = NUMBERS[len(scene.things)]
        return Question("count", word(_COUNT_ALL, lots, medium=pictured), number)
    shapes = [thing.shape for thing in scene.things]
    shape = lots.choice(shapes) if lots.random() < 0.7 else lots.choice(SHAPES)
    plural = "crosses" if shape == "cross" else f"{shape}s"
    text = word(_COUNT_SHAPE, lots, plural=plural, medium=pictured)
    return Question("count", text, NUMBERS[shapes.count(shape)])


def exist_wordings(scene: Scene, lots: Random, *, medium: tuple[str, ...]) -> Question | None:
    """Whether there is such a thing."""
    pictured = lots.choice(medium)
    sought, found = _sought(scene, lots)
    return Question("exist", word(_EXIST, lots, what=sought, medium=pictured), found)


def _sought(scene: Scene, lots: Random) -> tuple[str, str]:
    """Something to look for, there or not with equal chance, and the answer."""
    there = lots.random() < 0.5
    thing = lots.choice(scene.things)
    way = lots.choice(("name", "shape", "color"))
    if there:
        phrase = {
            "name": article(thing.name),
            "shape": article(thing.shape),
            "color": lots.choice((f"anything {thing.color}", f"{article(thing.color)} shape")),
        }
        return phrase[way], "yes"
    colors = [c for c in COLORS if all(t.color != c for t in scene.things)]
    shapes = [s for s in SHAPES if all(t.shape != s for t in scene.things)]
    if way == "shape":
        return article(lots.choice(shapes)), "no"
    color = lots.choice(colors)
    if way == "color":
        return lots.choice((f"anything {color}", f"{article(color)} shape")), "no"
    # the hard ones: the right shape in another color, the right color in another shape
    if lots.random() < 0.5:
        return article(f"{color} {thing.shape}"), "no"
    return article(f"{thing.color} {lots.choice(shapes)}"), "no"


def _size(scene: Scene, lots: Random) -> Question | None:
    thing = lots.choice(scene.things)
    ref = refer(scene, thing, lots)
    return None if ref is None else Question("size", word(_SIZE, lots, ref=ref), thing.size)


def _where(scene: Scene, lots: Random) -> Question | None:
    thing = lots.choice(scene.things)
    ref = refer(scene, thing, lots)
    if ref is None:
        return None
    text = word(_WHERE, lots, ref=ref, medium=lots.choice(PICTURE))
    return Question("where", text, thing.place)


def _what_at(scene: Scene, lots: Random) -> Question | None:
    """What is in a third, or along a whole side."""
    place = lots.choice(scene.things).place if lots.random() < 0.7 else lots.choice(PLACES)
    found = [thing for thing in scene.things if _belongs(thing, place)]
    if len(found) > 1:
        return None
    text = word(_WHAT_AT, lots, at=_at(place, lots), medium=lots.choice(PICTURE))
    return Question("what_at", text, article(found[0].name) if found else "nothing")


def _belongs(thing: Thing, place: str) -> bool:
    """Whether one would say the thing is there; a side is a whole row or column."""
    if place in ("top", "bottom", "left", "right"):
        return place in thing.place.split()
    return thing.place == place


def _at(place: str, lots: Random) -> str:
    if place == "center":
        return lots.choice(("in the center", "in the middle", "at the center"))
    if " " in place:
        return lots.choice(
            (f"in the {place}", f"at the {place}", f"in the {place} corner", f"on the {place}")
        )
    if place in ("left", "right"):
        return lots.choice((f"on the {place}", f"on the {place} side", f"at the {place}"))
    return lots.choice((f"at the {place}", f"on the {place}", f"in the {place} row"))


def caption_of(things: tuple[Thing, ...]) -> str:
    """All things in reading order."""
    names = [article(thing.name) for thing in things]
    if len(names) == 1:
        return names[0]
    return ", ".join(names[:-1]) + " and " + names[-1]


def _caption(scene: Scene, lots: Random) -> Question | None:
    wordings = _CAPTION + _CAPTION_ONE if len(scene.things) == 1 else _CAPTION
    text = word(wordings, lots, medium=lots.choice(PICTURE))
    return Question("caption", text, caption_of(scene.things))


_COLOR = (
    "what color is {ref}",
    "what color is {ref}",
    "what is the color of {ref}",
    "what's the color of {ref}",
    "which color is {ref}",
    "which color does {ref} have",
    "what color does {ref} have",
    "what colour is {ref}",
    "tell me the color of {ref}",
    "name the color of {ref}",
    "color of {ref}",
)
_SHAPE = (
    "what shape is {ref}",
    "what is the shape of {ref}",
    "what's the shape of {ref}",
    "which shape is {ref}",
    "which shape does {ref} have",
    "what shape does {ref} have",
    "tell me the shape of {ref}",
    "what kind of shape is {ref}",
)
_SHAPE_OF_COLOR = (
    "what shape is {color}",
    "which shape is {color}",
    "what is {color}",
    "what {color} shape is there",
    "what {color} shape do you see",
    "what is the {color} thing",
    "what is the {color} object",
    "which object is {color}",
)
_SIZE = (
    "how big is {ref}",
    "how large is {ref}",
    "what size is {ref}",
    "what is the size of {ref}",
    "what's the size of {ref}",
    "which size does {ref} have",
    "what size does {ref} have",
    "is {ref} small, medium or large",
)
_WHERE = (
    "where is {ref}",
    "where is {ref}",
    "where's {ref}",
    "where is {ref} in the {medium}",
    "where can i find {ref}",
    "where do you see {ref}",
    "in which part of the {medium} is {ref}",
    "what is the position of {ref}",
    "what is the location of {ref}",
    "where is {ref} located",
    "tell me where {ref} is",
)
_WHAT_AT = (
    "what is {at}",
    "what is {at} of the {medium}",
    "what's {at}",
    "what do you see {at}",
    "what can you see {at}",
    "what shape is {at}",
    "which shape is {at}",
    "which object is {at}",
    "what thing is {at} of the {medium}",
    "what is there {at}",
)
_COUNT_ALL = (
    "how many shapes are there",
    "how many shapes are there in the {medium}",
    "how many objects are there",
    "how many objects do you see",
    "how many things are there",
    "how many things can you see",
    "how many things are in the {medium}",
    "how many shapes do you see",
    "how many shapes are in the {medium}",
    "count the shapes",
    "count the objects",
    "what is the number of shapes",
)
_COUNT_SHAPE = (
    "how many {plural} are there",
    "how many {plural} do you see",
    "how many {plural} are in the {medium}",
    "how many {plural} can you see",
    "count the {plural}",
    "what is the number of {plural}",
)
_EXIST = (
    "is there {what}",
    "is there {what} in the {medium}",
    "do you see {what}",
    "can you see {what}",
    "does the {medium} show {what}",
    "does the {medium} contain {what}",
    "is {what} in the {medium}",
)
_CAPTION = (
    "describe the {medium}",
    "describe this {medium}",
    "describe what you see",
    "what do you see",
    "what can you see",
    "what is in the {medium}",
    "what is in this {medium}",
    "what's in the {medium}",
    "what does the {medium} show",
    "what is shown in the {medium}",
    "which shapes do you see",
    "what shapes are there",
    "what is there",
    "what objects are in the {medium}",
    "caption this {medium}",
    "caption",
)
_CAPTION_ONE = ("what is this", "what is it", "what's this")


def _count(scene: Scene, lots: Random) -> Question | None:
    return count_wordings(scene, lots, medium=PICTURE)


def _exist(scene: Scene, lots: Random) -> Question | None:
    return exist_wordings(scene, lots, medium=PICTURE)


_ASKERS: dict[str, Asker] = {
    "color": color_wordings,
    "shape": shape_wordings,
    "size": _size,
    "where": _where,
    "what_at": _what_at,
    "count": _count,
    "exist": _exist,
    "caption": _caption,
}
IMAGE_TYPES = tuple(_ASKERS)
