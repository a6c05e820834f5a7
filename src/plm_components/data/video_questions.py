"""What can be asked about a clip, in many wordings."""

from __future__ import annotations

import math
from random import Random

from plm_components.data.image_questions import (
    Asker,
    caption_of,
    color_wordings,
    count_wordings,
    exist_wordings,
    shape_wordings,
)
from plm_components.data.motion import when
from plm_components.data.nouns import DOES, ENTRANCES, MOVES, NUM_FRAMES, article
from plm_components.data.phrasing import Question, refer, word
from plm_components.data.scene import Scene, Thing

CLIP = ("video", "clip", "film")


def ask_about_video(scene: Scene, lots: Random, kind: str) -> Question | None:
    """A question of this type; None where the scene offers none.

    Args:
        scene: To be asked about.
        lots: Chooses the thing, the wording and the roughness.
        kind: One of ``VIDEO_TYPES``.
    """
    return _ASKERS[kind](scene, lots)


def _what(scene: Scene, lots: Random) -> Question | None:
    """Which thing does something."""
    asked = _asked_doing(scene, lots)
    doers = [thing for thing in scene.things if _does(thing, asked)]
    if len(doers) > 1 or (not doers and asked == "moves" and _changes(scene)):
        return None
    answer = article(doers[0].name) if doers else "nothing"
    return Question("what", word(_WHAT[asked], lots, medium=lots.choice(CLIP)), answer)


def _asked_doing(scene: Scene, lots: Random) -> str:
    """Mostly something that happens; sometimes not."""
    if lots.random() < 0.12:
        return lots.choice(tuple(_WHAT))
    kind = lots.choice(scene.things).event.kind
    if kind in MOVES and lots.random() < 0.65:
        return "moves"
    return kind


def _does(thing: Thing, asked: str) -> bool:
    kind = thing.event.kind
    return kind in MOVES if asked == "moves" else kind == asked


def _changes(scene: Scene) -> bool:
    """Whether something changes in place, which some would call moving."""
    return any(thing.event.kind in ("grow", "shrink", "spin") for thing in scene.things)


def _how(scene: Scene, lots: Random) -> Question | None:
    thing = lots.choice(scene.things)
    ref = refer(scene, thing, lots)
    if ref is None:
        return None
    wordings: tuple[str, ...] = _HOW
    if thing.event.kind in MOVES:
        wordings = _HOW + _DIRECTION
    return Question("how", word(wordings, lots, ref=ref), DOES[thing.event.kind])


def _when(scene: Scene, lots: Random) -> Question | None:
    thing = lots.choice(scene.things)
    time = when(thing.event)
    ref = refer(scene, thing, lots)
    if time is None or ref is None:
        return None
    kind = thing.event.kind
    verb = "move" if kind in MOVES else kind
    wordings = _WHEN if kind in ENTRANCES else _WHEN + _WHEN_STARTS
    return Question("when", word(wordings, lots, ref=ref, verb=verb), time)


def _frame(scene: Scene, lots: Random) -> Question | None:
    """Number of the frame, of those looked at, in which an entrance shows."""
    thing = lots.choice(scene.things)
    ref = refer(scene, thing, lots)
    if thing.event.kind not in ENTRANCES or ref is None:
        return None
    number = math.ceil(thing.event.start * (NUM_FRAMES - 1)) + 1
    text = word(_FRAME, lots, ref=ref, verb=thing.event.kind)
    return Question("frame", text, f"frame {number}")


def _where_start(scene: Scene, lots: Random) -> Question | None:
    thing = lots.choice(scene.things)
    ref = refer(scene, thing, lots)
    if ref is None or thing.event.kind == "appear":
        return None
    wordings: tuple[str, ...] = _WHERE_START
    if thing.event.kind not in MOVES:
        wordings = _WHERE_START + _WHERE
    return Question("where_start", word(wordings, lots, ref=ref), thing.place)


def _where_end(scene: Scene, lots: Random) -> Question | None:
    thing = lots.choice(scene.things)
    ref = refer(scene, thing, lots)
    if ref is None or thing.event.kind == "disappear":
        return None
    wordings: tuple[str, ...] = _WHERE_END
    if thing.event.kind == "appear":
        wordings = (*_WHERE_END, "where does {ref} appear")
    return Question("where_end", word(wordings, lots, ref=ref), thing.last_place)


def _caption(scene: Scene, lots: Random) -> Question | None:
    text = word(_CAPTION, lots, medium=lots.choice(CLIP))
    return Question("caption", text, caption_of(scene.things))


def _happens(scene: Scene, lots: Random) -> Question | None:
    """What happens, where one thing does something."""
    busy = [thing for thing in scene.things if thing.event.kind != "still"]
    if len(busy) > 1:
        return None
    if not busy:
        return Question("happens", word(_HAPPENS, lots, medium=lots.choice(CLIP)), "nothing")
    answer = f"{article(busy[0].name)} {DOES[busy[0].event.kind].removeprefix('it ')}"
    return Question("happens", word(_HAPPENS, lots, medium=lots.choice(CLIP)), answer)


_WHAT = {
    "moves": (
        "what moves",
        "what moves",
        "what is moving",
        "what's moving",
        "which shape moves",
        "which object moves",
        "which shape is moving",
        "what object is moving in the {medium}",
        "what moves in the {medium}",
        "what thing moves",
    ),
    "left": (
        "what moves left",
        "what moves to the left",
        "which shape moves left",
        "what goes left",
    ),
    "right": (
        "what moves right",
        "what moves to the right",
        "which shape moves right",
        "what goes right",
    ),
    "up": ("what moves up", "what goes up", "which shape moves up", "what rises"),
    "down": ("what moves down", "what goes down", "which shape moves down", "what falls"),
    "grow": ("what grows", "what gets bigger", "which shape grows", "what is growing"),
    "shrink": ("what shrinks", "what gets smaller", "which shape shrinks", "what is shrinking"),
    "spin": ("what spins", "what rotates", "which shape spins", "what is spinning", "what turns"),
    "appear": (
        "what appears",
        "which shape appears",
        "what appears in the {medium}",
        "what shows up",
    ),
    "disappear": ("what disappears", "which shape disappears", "what vanishes", "what goes away"),
    "still": (
        "what stays still",
        "what does not move",
        "which shape stays still",
        "what stands still",
    ),
}
_HOW = (
    "how does {ref} move",
    "how is {ref} moving",
    "what does {ref} do",
    "what happens to {ref}",
    "what is {ref} doing",
    "how does {ref} change",
    "tell me what {ref} does",
    "what's {ref} doing",
)
_DIRECTION = (
    "which way does {ref} move",
    "which direction does {ref} move",
    "in which direction does {ref} move",
    "where does {ref} move",
    "where does {ref} go",
    "which way does {ref} go",
)
_WHEN = (
    "when does {ref} {verb}",
    "when does {ref} {verb}",
    "when does {ref} {verb} in the video",
    "at what time does {ref} {verb}",
    "in which part of the video does {ref} {verb}",
    "tell me when {ref} {verb}s",
)
_WHEN_STARTS = ("when is it that {ref} {verb}s", "during which part does {ref} {verb}")
_FRAME = (
    "in which frame does {ref} {verb}",
    "which frame does {ref} {verb} in",
    "at which frame does {ref} {verb}",
    "at what frame does {ref} {verb}",
    "in what frame does {ref} {verb}",
)
_WHERE = ("where is {ref}", "where's {ref}", "where is {ref} in the video")
_WHERE_START = (
    "where is {ref} at the start",
    "where is {ref} at the beginning",
    "where does {ref} start",
    "where is {ref} at first",
    "where is {ref} in the first frame",
    "where does {ref} begin",
    "where was {ref} at the start",
)
_WHERE_END = (
    "where is {ref} at the end",
    "where does {ref} end",
    "where does {ref} end up",
    "where is {ref} in the last frame",
    "where does {ref} stop",
    "where is {ref} in the end",
)
_CAPTION = (
    "what is in the {medium}",
    "what do you see",
    "what can you see",
    "which shapes are in the {medium}",
    "what shapes are there",
    "which shapes do you see",
    "what's in the {medium}",
    "what objects are in the {medium}",
)
_HAPPENS = (
    "what happens",
    "what happens in the {medium}",
    "what is happening",
    "what's happening",
    "describe what happens",
    "describe the {medium}",
    "what does the {medium} show",
    "describe the motion",
)


def _count(scene: Scene, lots: Random) -> Question | None:
    return count_wordings(scene, lots, medium=CLIP)


def _exist(scene: Scene, lots: Random) -> Question | None:
    return exist_wordings(scene, lots, medium=CLIP)


_ASKERS: dict[str, Asker] = {
    "what": _what,
    "how": _how,
    "when": _when,
    "frame": _frame,
    "where_start": _where_start,
    "where_end": _where_end,
    "happens": _happens,
    "caption": _caption,
    "color": color_wordings,
    "shape": shape_wordings,
    "count": _count,
    "exist": _exist,
}
VIDEO_TYPES = tuple(_ASKERS)
