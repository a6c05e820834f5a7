"""Scores, counted by hand."""

from plm_components.evaluation.scoring import Answered, score, score_by_type


def one(kind, truth, answer, blind):
    return Answered("image", kind, "?", truth, answer, blind)


GROUP = [
    one("color", "red", "red", "red"),
    one("color", "red", "blue", "blue"),
    one("color", "green", "green", "red"),
    one("count", "two", "two", "one"),
]


def test_exact_constant_and_shuffled():
    found = score(GROUP[:3])
    assert (found.count, found.exact, found.constant, found.shuffled) == (3, 2 / 3, 2 / 3, 1 / 3)


def test_the_constant_of_all_may_know_the_question():
    scores = score_by_type(GROUP)
    assert list(scores) == ["all", "color", "count"]
    assert scores["all"].exact == 3 / 4
    assert scores["all"].constant == (2 + 1) / 4
    assert scores["all"].shuffled == 1 / 4
