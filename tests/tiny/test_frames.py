"""When plm-tiny says in which frame, the seconds beside it are those of the world it was shown."""

from itertools import islice

import pytest

import plm_components as plm
from plm_components.data.nouns import ENTRANCES
from plm_components.data.records import write_video
from plm_components.data.scene import video_scene

# development scenes: the published figures come from others
SEED = 6_000_000_000


@pytest.fixture(scope="module")
def variant():
    return plm.assemble("plm-tiny")


def entrances():
    """Scenes in which one thing, the only one of its color, appears or disappears."""
    for seed in range(SEED, SEED + 1000):
        scene = video_scene(seed)
        for thing in scene.things:
            alone = sum(other.color == thing.color for other in scene.things) == 1
            if alone and thing.event.kind in ENTRANCES:
                yield scene, thing


def test_the_seconds_are_those_of_the_event(variant, tmp_path):
    right = 0
    for scene, thing in islice(entrances(), 12):
        question = f"in which frame does the {thing.color} {thing.shape} {thing.event.kind}?"
        reply = variant.ask(question, video=write_video(scene, tmp_path), stream=True)
        told = "".join(reply.with_seconds())
        (said,) = reply.frames
        assert told == f"{said.text} ({said.seconds[0]:.2f} s)"

        times = reply.frame_times
        # the world's clock runs from 0 at the first frame to 1 at the last
        event_s = thing.event.start * times[-1]
        before_s = max((time_s for time_s in times if time_s < said.seconds[0]), default=-1.0)
        right += before_s < event_s <= said.seconds[0]
    # 94 of a hundred in the published figures
    assert right >= 10


def test_its_frames_count_from_one(variant):
    assert variant.processor.first_frame == 1
    assert [said for said in variant.differences if said.startswith("processor")] == []
    assert variant.lock.processor["first_frame"] == 1


def test_times_of_day_are_left_alone(variant, tmp_path):
    scene, thing = next(entrances())
    question = f"when does the {thing.color} {thing.shape} {thing.event.kind}?"
    reply = variant.ask(question, video=write_video(scene, tmp_path), stream=True)

    assert "".join(reply.with_seconds()) in ("at the beginning", "in the middle", "at the end")
    assert reply.frames == ()
