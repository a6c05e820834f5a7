"""Frames that an answer speaks of, and the seconds they stand for.

``frame 3``, ``frames 3 to 7``, ``frames 2, 4 and 9``, ``frames [3, 7]`` and PerceptionLM's bare
``[3, 7]`` number the frames that were looked at, not those of the file. Whether the first of them
is 0 (PerceptionLM) or 1 is how a model was trained, and is told, never guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

# a number of an answer: not the beginning of "3rd" or "3.5"
_NUMBER = r"[0-9]{1,6}(?!\w|\.[0-9])"
_ITEM = rf"{_NUMBER}(?:\s*(?:to|through|until|till|-|–|—)\s*(?:frame\s+)?{_NUMBER})?"
_LIST = rf"(?:{_ITEM}(?:\s*,\s*{_ITEM})*\s*,?\s*(?:and|or|&)\s*)?{_ITEM}"
_PAIR = r"\[\s*[0-9]{1,6}\s*,\s*[0-9]{1,6}\s*\]"
_ROUND_PAIR = r"\(\s*[0-9]{1,6}\s*,\s*[0-9]{1,6}\s*\)"
_WORD = r"(?<!\w)frame{}\s*(?:(?:numbers?|no\.)\s*|\#\s*)?"
_MENTION = re.compile(
    rf"{_WORD.format('s?')}(?:{_PAIR}|{_ROUND_PAIR})"
    rf"|{_WORD.format('s')}(?P<several>{_LIST})"
    rf"|{_WORD.format('')}{_ITEM}"
    rf"|{_PAIR}",
    re.IGNORECASE,
)
_ITEMS = re.compile(_ITEM, re.IGNORECASE)
# what may still become a mention, or a longer one, when more text comes
_OPEN_END = re.compile(
    r"(?<!\w)frames?(?:[\s0-9,.\#&()\[\]\-–—]"
    r"|numbers?|no|to|through|until|till|and|or|frame)*\w*$"
    r"|\[[\s0-9,]*$"
    r"|\w+$",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class SpokenFrames:
    """A frame, or a stretch of frames, within an answer.

    Args:
        text: As it was said.
        start: Where it begins in the answer, in characters.
        first: The first frame, as it was numbered.
        last: The last one; the same for a single frame.
        seconds: When these two are shown, in seconds of the file; None where no frame has such a
            number.
    """

    text: str
    start: int
    first: int
    last: int
    seconds: tuple[float, float] | None

    @property
    def end(self) -> int:
        """Behind its last character."""
        return self.start + len(self.text)

    @property
    def seconds_text(self) -> str:
        """``1.25 s``, ``0.50–1.25 s``."""
        if self.seconds is None:
            return "no such frame" if self.first == self.last else "no such frames"
        first_s, last_s = self.seconds
        if self.first == self.last:
            return f"{first_s:.2f} s"
        return f"{first_s:.2f}–{last_s:.2f} s"


def find_frames(text: str, times: Sequence[float], *, first_frame: int) -> tuple[SpokenFrames, ...]:
    """Every frame and stretch of frames in an answer, in order.

    Args:
        text: The answer.
        times: Of the frames that were looked at, in seconds; none where it is not known which
            video's are meant.
        first_frame: Number of the first of them in this model's answers.

    >>> [span] = find_frames("It appears in frame 3.", [0.0, 0.5, 1.0], first_frame=1)
    >>> span.text, span.seconds
    ('frame 3', (1.0, 1.0))
    """
    return tuple(
        _spoken(said, start, times, first_frame)
        for found in _MENTION.finditer(text)
        for said, start in _parts(found)
    )


def _parts(found: re.Match[str]) -> Iterator[tuple[str, int]]:
    """A mention, or each item of a list of them; the word stays with the first."""
    if found["several"] is None:
        yield found[0], found.start()
        return
    start = found.start()
    for item in _ITEMS.finditer(found.string, found.start("several"), found.end()):
        start = found.start() if start == found.start() else item.start()
        yield found.string[start : item.end()], start
        start = item.end()


def _spoken(said: str, start: int, times: Sequence[float], first_frame: int) -> SpokenFrames:
    numbers = [int(digits) for digits in re.findall("[0-9]+", said)]
    first, last = numbers[0], numbers[-1]
    places = (first - first_frame, last - first_frame)
    seconds = None
    if all(0 <= place < len(times) for place in places):
        seconds = (times[places[0]], times[places[1]])
    return SpokenFrames(said, start, first, last, seconds)


def with_seconds(
    pieces: Iterable[str], times: Sequence[float], *, first_frame: int
) -> Iterator[str]:
    """An answer while it comes, with seconds beside its frames: ``frame 3 (1.25 s)``.

    Text that may yet turn out to speak of frames is held back until it has.

    Args:
        pieces: The answer.
        times: Of the frames that were looked at, in seconds.
        first_frame: Number of the first of them in this model's answers.
    """
    held = ""
    for piece in pieces:
        held += piece
        open_end = _OPEN_END.search(held)
        settled = open_end.start() if open_end else len(held)
        if settled:
            yield _told(held[:settled], times, first_frame)
            held = held[settled:]
    if held:
        yield _told(held, times, first_frame)


def _told(text: str, times: Sequence[float], first_frame: int) -> str:
    told, place = "", 0
    for span in find_frames(text, times, first_frame=first_frame):
        told += f"{text[place : span.end]} ({span.seconds_text})"
        place = span.end
    return told + text[place:]
