"""The examination itself: what it asks, how it asks, what it refuses."""

import json
import sys

import pytest

import plm_components as plm
from plm_components.data.records import write_image, write_video
from plm_components.data.scene import image_scene, video_scene
from plm_components.errors import UsageError
from plm_components.evaluation import tiny

# development scenes: the published figures come from others
SEED = 6_000_000_000


@pytest.fixture(scope="module")
def variant():
    return plm.assemble("plm-tiny")


def test_questions_put_together_are_answered_as_one_by_one(variant, tmp_path):
    picture = write_image(image_scene(SEED), tmp_path)
    other = write_image(image_scene(SEED + 1), tmp_path)
    asked = [(picture, "what do you see?"), (other, "how many shapes are there?"), (picture, "hm")]
    together = tiny.ask_all(variant, "image", asked)
    assert together == [variant.ask(text, image=path, max_new_tokens=24) for path, text in asked]


def test_clips_put_together_are_answered_as_one_by_one(variant, tmp_path):
    clip = write_video(video_scene(SEED), tmp_path)
    asked = [(clip, "what moves?"), (clip, "what happens in the video?")]
    together = tiny.ask_all(variant, "video", asked)
    assert together == [variant.ask(text, video=path, max_new_tokens=24) for path, text in asked]


def test_types_take_turns(variant):
    answered = [one for batch in tiny.evaluate(variant, "image", 8, seed=SEED) for one in batch]
    assert len(answered) == 24
    counts = [sum(one.type == kind for one in answered) for kind in tiny.IMAGE_TYPES]
    assert max(counts) - min(counts) <= 2


def test_one_scene_cannot_swap_its_medium(variant):
    with pytest.raises(UsageError) as caught:
        next(tiny.evaluate(variant, "image", 1))
    assert str(caught.value) == (
        "1 scenes and 3 questions each were asked for.\n"
        "  where:    evaluation.tiny\n"
        "  expected: at least two scenes, so that media can be swapped, and one question\n"
        "  fix:      ask for more"
    )


def test_the_command_prints_figures(monkeypatch, capsys):
    arguments = [
        "--scenes",
        "2",
        "--questions",
        "2",
        "--seed",
        str(SEED),
        "--processes",
        "1",
        "--json",
    ]
    monkeypatch.setattr(sys, "argv", ["tiny", *arguments])
    tiny.main()
    printed = capsys.readouterr()
    found = json.loads(printed.out)
    assert set(found) == {"spec", "seed", "scenes", "image", "video"}
    assert set(found["image"]["all"]) == {"count", "exact", "constant", "shuffled"}
    assert found["video"]["all"]["count"] == 4
    assert "best constant" in printed.err
