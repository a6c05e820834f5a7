"""The demo's files: a picture and a clip that no run of training or evaluation has seen."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from random import Random

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from plm_components.data import (
    IMAGE_TYPES,
    VIDEO_TYPES,
    Question,
    Scene,
    ask_about_image,
    ask_about_video,
    image_scene,
    render_frames,
    render_image,
    video_scene,
)
from plm_components.data.records import encode_mp4
from plm_components.demo.folder import IMAGE, VIDEO, signed
from plm_components.errors import UsageError

# training and evaluation stay below ten billion: these scenes are neither's
_FIRST_SEED = 20_000_000_000
_LARGEST_SEED = 2**31
_IMAGE_SIDE, _VIDEO_SIDE = 640, 288
_FPS, _NUM_FRAMES = 24, 72
# what, when, where, how: the rest stands in where a clip offers one of these no question
_VIDEO_FIRST = ("what", "how", "when", "where_end")


@dataclass(frozen=True)
class DrawnMedium:
    """A file, and what may be asked of it.

    Args:
        path: Of the file.
        questions: With their true answers.
        frames_FHW3: uint8 RGB as drawn; one frame for a picture.
    """

    path: Path
    questions: tuple[Question, ...]
    frames_FHW3: NDArray[np.uint8]

    def frame(self, index: int) -> Image.Image:
        """One frame as a picture."""
        return Image.fromarray(self.frames_FHW3[index])


def draw_image(seed: int, folder: Path, number: int) -> DrawnMedium:
    """Draws a PNG and thinks of questions.

    Args:
        seed: The same seed draws the same picture.
        folder: Where ``image.png`` is written.
        number: Of questions.

    Raises:
        UsageError: a seed out of range.
    """
    scene = image_scene(_scene_seed(seed))
    pixels_HW3 = render_image(scene, *_size(scene, _IMAGE_SIDE))
    path = folder / IMAGE
    Image.fromarray(pixels_HW3).save(path, pnginfo=signed())
    return DrawnMedium(path, _questions(scene, number), pixels_HW3[None])


def draw_video(seed: int, folder: Path, number: int) -> DrawnMedium:
    """Draws an mp4 and thinks of questions; see ``draw_image``."""
    scene = video_scene(_scene_seed(seed))
    times = [frame / (_NUM_FRAMES - 1) for frame in range(_NUM_FRAMES)]
    frames_FHW3 = render_frames(scene, times, *_size(scene, _VIDEO_SIDE))
    path = folder / VIDEO
    encode_mp4(frames_FHW3, path, _FPS)
    return DrawnMedium(path, _questions(scene, number), frames_FHW3)


def require_seed(seed: int) -> None:
    """Refuses a seed from which no scene is drawn.

    Raises:
        UsageError: it is out of range.
    """
    if not 0 <= seed < _LARGEST_SEED:
        raise UsageError(
            f"{seed} cannot be a seed.",
            where="demo, seed",
            expected=f"a whole number from 0 to {_LARGEST_SEED - 1}",
            fix="choose another, or none for a fresh one",
        )


def _scene_seed(seed: int) -> int:
    require_seed(seed)
    return _FIRST_SEED + seed


def _size(scene: Scene, side: int) -> tuple[int, int]:
    """Even width and height; their geometric mean is ``side``."""
    root = scene.aspect**0.5
    return 2 * round(side * root / 2), 2 * round(side / root / 2)


def _questions(scene: Scene, number: int) -> tuple[Question, ...]:
    lots = Random(f"demo {scene.kind} {scene.seed}")
    types = list(IMAGE_TYPES if scene.kind == "image" else VIDEO_TYPES)
    lots.shuffle(types)
    if scene.kind == "video":
        types.sort(key=lambda kind: kind not in _VIDEO_FIRST)
    asked = (_plainly(scene, lots, kind) for kind in types)
    return tuple([question for question in asked if question is not None][:number])


def _plainly(scene: Scene, lots: Random, kind: str) -> Question | None:
    """The plainest of several wordings: without the oddities that training needs."""
    ask = ask_about_image if scene.kind == "image" else ask_about_video
    drawn = [ask(scene, lots, kind) for _ in range(12)]
    plain = [one for one in drawn if one is not None and _is_plain(one.text)]
    # about as long as a plain question is: neither "caption." nor a whole speech
    return min(plain, key=lambda one: abs(len(one.text) - 26), default=None)


def _is_plain(text: str) -> bool:
    words = set(re.findall(r"[a-z]+", text))
    return text[-1] in "?." and text[-2] != " " and words <= _known_words()


@cache
def _known_words() -> frozenset[str]:
    listed = files("plm_components") / "weights" / "plm-tiny" / "words.txt"
    return frozenset(re.findall(r"[a-z]+", listed.read_text(encoding="utf-8")))
