"""Exact match by question type, beside the best constant answer and the wrong medium."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Answered:
    """One question put to a variant.

    Args:
        medium: ``image`` or ``video``.
        type: The question's type.
        question: As asked.
        truth: The right answer.
        answer: The variant's.
        blind: The variant's answer over another scene's medium.
    """

    medium: str
    type: str
    question: str
    truth: str
    answer: str
    blind: str


@dataclass(frozen=True)
class Score:
    """How one group of questions was answered; shares of 1.

    Args:
        count: Questions.
        exact: Answers equal to the truth, letter for letter.
        constant: What the single best answer to all of the group would score.
        shuffled: Exact answers when another scene is shown.
    """

    count: int
    exact: float
    constant: float
    shuffled: float


def score(answered: Iterable[Answered]) -> Score:
    """Of one group, which must not be empty."""
    group = list(answered)
    count = len(group)
    commonest = Counter(one.truth for one in group).most_common(1)[0][1]
    return Score(
        count,
        sum(one.answer == one.truth for one in group) / count,
        commonest / count,
        sum(one.blind == one.truth for one in group) / count,
    )


def score_by_type(answered: Iterable[Answered]) -> dict[str, Score]:
    """One score a type, and ``all`` of them first.

    The constant of ``all`` may choose one answer for each type: knowing the question and blind to
    the medium.
    """
    groups: dict[str, list[Answered]] = {}
    for one in answered:
        groups.setdefault(one.type, []).append(one)
    scores = {name: score(group) for name, group in sorted(groups.items())}
    everything = [one for group in groups.values() for one in group]
    constant = sum(s.constant * s.count for s in scores.values()) / len(everything)
    total = score(everything)
    return {"all": Score(total.count, total.exact, constant, total.shuffled), **scores}
