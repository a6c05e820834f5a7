"""What a scene says of itself, against an independent reading of its pixels."""

import os
import subprocess
import sys
from random import Random

import numpy as np
import pytest

from plm_components.data import (
    IMAGE_TYPES,
    VIDEO_TYPES,
    ask_about_image,
    ask_about_video,
    image_scene,
    render_frames,
    render_image,
    video_scene,
)
from plm_components.data.nouns import NUM_FRAMES, SIZES
from plm_components.data.palette import shade

SEEDS = range(5_100_000_000, 5_100_000_240)
TIMES = [frame / (NUM_FRAMES - 1) for frame in range(NUM_FRAMES)]


def seen(pixels_HW3, thing):
    """Mask of the pixels in a thing's shade."""
    shade_3 = np.array(thing.rgb) * 255
    return np.abs(pixels_HW3.astype(float) - shade_3).max(-1) < 12


def third(mask_HW):
    """The third of the picture a mask's middle lies in, as (row, column)."""
    rows, columns = np.nonzero(mask_HW)
    middle_y = (rows.min() + rows.max() + 1) / 2 / mask_HW.shape[0]
    middle_x = (columns.min() + columns.max() + 1) / 2 / mask_HW.shape[1]
    return int(middle_y * 3), int(middle_x * 3)


def named(place):
    """(row, column) of a place's name, read without the world's own table."""
    row = 0 if "top" in place else 2 if "bottom" in place else 1
    column = 0 if "left" in place else 2 if "right" in place else 1
    return row, column


def plain_scenes(draw):
    """Scenes without grain or lines around things, where shades can be told by eye."""
    return [
        scene
        for scene in map(draw, SEEDS)
        if not scene.background.grain and all(thing.outline is None for thing in scene.things)
    ]


@pytest.mark.parametrize("draw", [image_scene, video_scene])
def test_a_seed_is_a_scene(draw):
    assert draw(41) == draw(41)
    assert draw(41) != draw(42)


def test_a_seed_is_the_same_scene_in_another_process():
    code = (
        "from plm_components.data import *; from random import Random;"
        "s = video_scene(7); print(s, [ask_about_video(s, Random(1), t) for t in VIDEO_TYPES])"
    )
    said = [
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert said[0] == said[1]
    assert "Scene(seed=7" in said[0]


def test_pixels_are_a_function_of_the_scene():
    scene = image_scene(5)
    assert np.array_equal(render_image(scene, 90, 70), render_image(scene, 90, 70))
    assert render_image(scene, 90, 70).shape == (70, 90, 3)


def test_things_are_where_they_are_said_to_be():
    checked = 0
    for scene in plain_scenes(image_scene):
        pixels = render_image(scene, 300, 300)
        for thing in scene.things:
            if thing.shape == "triangle":
                continue  # its middle is not the middle of its box
            assert third(seen(pixels, thing)) == named(thing.place), (scene.seed, thing)
            checked += 1
    assert checked > 60


def test_every_thing_is_seen_and_nothing_is_hidden():
    for scene in plain_scenes(image_scene):
        pixels = render_image(scene, 200, 200)
        for thing in scene.things:
            assert seen(pixels, thing).sum() > 8, (scene.seed, thing)


def test_sizes_do_not_overlap():
    radii = {size: [] for size in SIZES}
    for scene in map(image_scene, range(400)):
        for thing in scene.things:
            radii[thing.size].append(thing.radius)
    assert max(radii["small"]) * 1.2 < min(radii["medium"])
    assert max(radii["medium"]) * 1.2 < min(radii["large"])


def test_color_names_never_share_a_shade():
    lots = Random(0)
    shades = {
        color: np.array([shade(color, lots) for _ in range(200)])
        for color in ("red", "orange", "yellow", "green", "blue", "purple", "black", "white")
    }
    names = list(shades)
    for n, one in enumerate(names):
        for other in names[n + 1 :]:
            apart = np.linalg.norm(shades[one][:, None] - shades[other][None], axis=-1)
            assert apart.min() > 0.08, (one, other)


def test_what_a_thing_does_is_what_its_pixels_do():
    checked = set()
    for scene in plain_scenes(video_scene):
        frames = render_frames(scene, TIMES, 240, 240)
        for thing in scene.things:
            masks = [seen(frame, thing) for frame in frames]
            kind = thing.event.kind
            areas = [int(mask.sum()) for mask in masks]
            if kind == "appear":
                assert areas[0] < 5 < areas[-1]
            elif kind == "disappear":
                assert areas[-1] < 5 < areas[0]
            elif kind == "grow":
                assert areas[-1] > 2 * areas[0]
            elif kind == "shrink":
                assert areas[0] > 2 * areas[-1]
            else:
                start, end = (np.argwhere(mask).mean(0) for mask in (masks[0], masks[-1]))
                down, right = (end - start) / 240
                moved = {"left": (0, -1), "right": (0, 1), "up": (-1, 0), "down": (1, 0)}
                expected = np.array(moved.get(kind, (0, 0)))
                assert np.array_equal(
                    np.round(np.array([down, right]) / 0.7 * 2).clip(-1, 1), expected
                )
            checked.add(kind)
    assert checked >= {"appear", "disappear", "grow", "shrink", "left", "up", "still", "spin"}


def test_frame_answers_name_the_frame_in_which_it_shows():
    checked = 0
    for scene in plain_scenes(video_scene):
        if len(scene.things) > 1:
            continue
        question = ask_about_video(scene, Random(3), "frame")
        if question is None:
            continue
        thing = scene.things[0]
        areas = [
            int(seen(frame, thing).sum()) > 5 for frame in render_frames(scene, TIMES, 160, 160)
        ]
        change = next(n for n in range(1, NUM_FRAMES) if areas[n] != areas[n - 1])
        assert question.answer == f"frame {change + 1}"
        checked += 1
    assert checked > 4


def test_questions_mean_one_thing():
    for seed in SEEDS:
        scene = image_scene(seed)
        question = ask_about_image(scene, Random(seed), "color")
        if question is None:
            continue
        shapes = [t.shape for t in scene.things if t.shape in question.text.split("?")[0].split()]
        assert len(shapes) <= 1
        assert question.answer in {thing.color for thing in scene.things}


def test_every_type_is_asked_and_answers_vary():
    answers = {}
    for seed in range(300):
        lots = Random(seed)
        for kind in IMAGE_TYPES:
            question = ask_about_image(image_scene(seed), lots, kind)
            if question:
                answers.setdefault(("image", kind), set()).add(question.answer)
        for kind in VIDEO_TYPES:
            question = ask_about_video(video_scene(seed), lots, kind)
            if question:
                answers.setdefault(("video", kind), set()).add(question.answer)
    assert len(answers) == len(IMAGE_TYPES) + len(VIDEO_TYPES)
    assert answers["image", "exist"] == {"yes", "no"}
    assert answers["video", "when"] == {
        "at the beginning",
        "in the middle",
        "at the end",
        "the whole time",
    }
    assert len(answers["video", "how"]) == 10
