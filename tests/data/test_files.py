"""Scenes as files: what comes back through the variant's own parts, and the JSONL beside them."""

import json

import numpy as np
import pytest
from PIL import Image

from plm_components.data import image_scene, render_frames, render_image, video_scene
from plm_components.data.nouns import NUM_FRAMES
from plm_components.data.records import (
    questions_about,
    write_image,
    write_records,
    write_video,
)
from plm_components.data.word_list import words
from plm_components.errors import UsageError
from plm_components.frame_transforms.plm_frames import PLMFramesTransform
from plm_components.image_tilers.single import SingleTiler
from plm_components.tokenizers.words import WordsTokenizer
from plm_components.video_readers.pyav import PyAVReader
from plm_components.video_samplers.plm_uniform import PLMUniformSampler

TILE = 112


def plain(draw):
    """A scene whose background a codec keeps."""
    return next(
        scene for scene in map(draw, range(5_200_000_000, 5_200_000_099))
        if not scene.background.grain
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(3))
def test_a_picture_read_back_is_the_picture_rendered_at_tile_size(seed, tmp_path):
    scene = image_scene(5_200_000_000 + seed)
    path = write_image(scene, tmp_path)
    tile_HW3 = SingleTiler(TILE)(Image.open(path).convert("RGB"))[0].permute(1, 2, 0).numpy()
    direct_HW3 = render_image(scene, TILE, TILE)
    limit = 6 if not scene.background.grain else 20
    assert np.abs(tile_HW3.astype(int) - direct_HW3).mean() < limit


def test_a_clip_read_back_is_the_clip_rendered_at_tile_size(tmp_path):
    scene = plain(video_scene)
    path = write_video(scene, tmp_path)
    reader = PyAVReader()
    sample = PLMUniformSampler(max_frames=NUM_FRAMES).sample(reader.facts(path))
    assert len(sample.indices) == NUM_FRAMES
    tiles_F3SS = PLMFramesTransform(TILE)(reader.read(path, sample.indices))
    times = [frame / (NUM_FRAMES - 1) for frame in range(NUM_FRAMES)]
    direct_FHW3 = render_frames(scene, times, TILE, TILE)
    apart = np.abs(tiles_F3SS.permute(0, 2, 3, 1).numpy().astype(int) - direct_FHW3)
    assert apart.mean() < 6


def test_the_same_scene_is_drawn_alike_and_decodes_alike(tmp_path):
    """Not the same bytes: the encoder's depend on what its memory held before."""
    scene, times = video_scene(3), [0.0, 0.4, 1.0]
    drawn = [render_frames(scene, times, 132, 112) for _ in "ab"]
    assert np.array_equal(*drawn)
    decoded, reader = [], PyAVReader()
    for name in "ab":
        (tmp_path / name).mkdir()
        path = write_video(scene, tmp_path / name)
        facts = reader.facts(path)
        frames = reader.read(path, range(facts.num_frames)).numpy().astype(int)
        decoded.append(((facts.fps, facts.pts_s, frames.shape), frames))
    assert decoded[0][0] == decoded[1][0]
    assert np.abs(decoded[0][1] - decoded[1][1]).mean() < 1


def test_records_are_plm_s(tmp_path):
    path = write_records(tmp_path / "set", images=2, videos=2, seed=9)
    records = [json.loads(line) for line in path.read_text().splitlines()]
    assert [("image" in record, "video" in record) for record in records] == [
        (True, False),
        (True, False),
        (False, True),
        (False, True),
    ]
    for record in records:
        medium = record.get("image") or record.get("video")
        assert (tmp_path / "set" / medium).stat().st_size > 0
        speakers = [turn["from"] for turn in record["conversations"]]
        assert speakers == ["human", "assistant"] * 4
        assert all(turn["value"] for turn in record["conversations"])


def test_records_refuse_nonsense(tmp_path):
    with pytest.raises(UsageError) as caught:
        write_records(tmp_path, images=-1, videos=0, seed=0)
    assert str(caught.value) == (
        "-1 images, 0 videos, seed 0 and 4 questions were asked for.\n"
        "  where:    data.records\n"
        "  expected: images, videos and seed of at least 0, and at least one question\n"
        "  fix:      leave the option out, or give it a larger number"
    )


def test_questions_about_a_scene_are_of_different_types():
    types = [question.type for question in questions_about(video_scene(8), 6)]
    assert len(types) == len(set(types)) == 6


def test_the_word_list_is_what_the_world_says():
    tokenizer = WordsTokenizer(words="package:plm-tiny/words.txt", system_prompt="")
    listed = words()
    assert tokenizer.vocab_size == 270 + len(listed)
    first_word = tokenizer.encode(listed[0])[0]
    assert [tokenizer.encode(word) for word in listed] == [
        [first_word + n] for n in range(len(listed))
    ]


def test_answers_are_words_never_bytes():
    tokenizer = WordsTokenizer(words="package:plm-tiny/words.txt", system_prompt="")
    for seed in range(60):
        for scene in (image_scene(seed), video_scene(seed)):
            for question in questions_about(scene, 20):
                ids = tokenizer.encode(question.answer)
                assert min(ids) >= 266, question
                assert tokenizer.decode(ids) == question.answer
