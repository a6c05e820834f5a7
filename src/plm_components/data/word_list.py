"""The words of plm-tiny's tokenizer: every word the world can say, gathered by letting it talk.

python -m plm_components.data.word_list > src/plm_components/weights/plm-tiny/words.txt
"""

from __future__ import annotations

import re
from random import Random

from plm_components.data.image_questions import IMAGE_TYPES, ask_about_image
from plm_components.data.nouns import COLORS, DOES, EVENTS, NUMBERS, PLACES, SHAPES, SIZES, TIMES
from plm_components.data.scene import image_scene, video_scene
from plm_components.data.video_questions import VIDEO_TYPES, ask_about_video

_LEXEME = re.compile(r"[a-z]+(?:'[a-z]+)*|[^a-z\s]")
# bytes say these: see phrasing
_UNLISTED = re.compile(r"shiny|nice|cute|weird|odd|plain|little|flat")
_ALWAYS = (*".,?!-':0123456789", "yes", "no", "nothing", "it", "and", "a", "an", "the", "of", "to")


def words() -> list[str]:
    """All words, sorted; the same on every machine."""
    counts: dict[str, int] = {}
    for text in _talk():
        for word in set(_LEXEME.findall(text)):
            counts[word] = counts.get(word, 0) + 1
    nouns = (*COLORS, *SHAPES, *SIZES, *NUMBERS, *PLACES, *EVENTS, *DOES.values(), *TIMES)
    always = {word for phrase in nouns for word in phrase.split()} | set(_ALWAYS)
    # an odd word made of random letters hardly comes twice
    heard = {word for word, count in counts.items() if count > 3 and not _UNLISTED.match(word)}
    return sorted(always | heard)


def _talk() -> list[str]:
    said = []
    for seed in range(3000):
        lots = Random(seed)
        picture, clip = image_scene(seed), video_scene(seed)
        asked = [ask_about_image(picture, lots, kind) for kind in IMAGE_TYPES]
        asked += [ask_about_video(clip, lots, kind) for kind in VIDEO_TYPES]
        said += [f"{question.text} {question.answer}" for question in asked if question]
    return said


if __name__ == "__main__":
    print("\n".join(words()))
