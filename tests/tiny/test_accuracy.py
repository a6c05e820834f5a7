"""The shipped weights: what they know of their own world, and who made them.

The published figures come from 1,000 scenes of seeds that nobody looked at; these are development
scenes, few enough for a test.
"""

import pytest

import plm_components as plm
from plm_components.evaluation.scoring import score_by_type
from plm_components.evaluation.tiny import evaluate

SEED = 6_100_000_000


@pytest.fixture(scope="module")
def variant():
    return plm.assemble("plm-tiny")


@pytest.mark.parametrize("medium", ["image", "video"])
def test_it_answers_about_new_scenes_and_not_from_the_words_alone(variant, medium):
    answered = [one for batch in evaluate(variant, medium, 48, seed=SEED) for one in batch]
    scores = score_by_type(answered)
    assert scores["all"].exact >= 0.9
    assert scores["all"].shuffled <= 0.5


def test_the_lock_says_what_built_it(variant):
    assert variant.receipt.fresh_parts == ()
    assert all("make train-tiny, seed" in line.origin for line in variant.receipt.lines)


def test_the_weights_are_small(variant):
    parameters = sum(parameter.numel() for parameter in variant.model.parameters())
    assert 2_000_000 < parameters < 3_000_000


def test_it_says_something_about_what_it_does_not_know(variant, tmp_path):
    import numpy as np
    from PIL import Image

    lots = np.random.default_rng(0)
    small = lots.integers(0, 255, (7, 9, 3), dtype=np.uint8)
    path = tmp_path / "photo.jpg"
    Image.fromarray(small).resize((900, 700), Image.Resampling.BICUBIC).save(path)
    answer = variant.ask("what do you see?", image=path)
    assert 0 < len(answer) < 200
