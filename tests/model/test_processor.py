from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import InterpolationMode, v2
from torchvision.transforms.functional import resize
from torchvision.utils import draw_bounding_boxes

from plm_components.contracts import Sample, VideoFacts
from plm_components.errors import ContractError, MediaError, TokenizerError, UnsupportedError
from plm_components.frame_transforms.plm_frames import PLMFramesTransform
from plm_components.image_tilers.plm_tiles import PLMTilesTiler
from plm_components.image_tilers.resize import Resizer
from plm_components.image_tilers.single import SingleTiler
from plm_components.model.processor import Processor
from plm_components.tokenizers.words import WordsTokenizer
from plm_components.video_readers.pyav import PyAVReader
from plm_components.video_samplers.plm_uniform import PLMUniformSampler

SIDE = 28
TOKENS = 4
WORDS = ["what", "color", "is", "the", "circle", "and", "square", "red", "blue", "?", "."]


def build(**parts: object) -> Processor:
    given = {
        "image_tiler": SingleTiler(SIDE),
        "frame_transform": PLMFramesTransform(SIDE),
        "video_sampler": PLMUniformSampler(max_frames=4),
        "video_reader": PyAVReader(),
    } | parts
    tokenizer = WordsTokenizer(words=WORDS, system_prompt="")
    return Processor(
        tokenizer, tokens_per_tile=TOKENS, mean=(0.5, 0.4, 0.3), std=(0.5, 0.25, 0.2), **given
    )  # type: ignore[arg-type]


def noise(seed: int, size: tuple[int, int] = (40, 30)) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def ask(*content: object) -> list[dict[str, object]]:
    parts = [{"type": "text", "text": part} if isinstance(part, str) else part for part in content]
    return [{"role": "user", "content": parts}]


def image(source: object) -> dict[str, object]:
    return {"type": "image", "image": source}


def chat(*texts: str) -> list[dict[str, object]]:
    roles = ("user", "assistant")
    return [{"role": roles[n % 2], "content": text} for n, text in enumerate(texts)]


def test_media_stand_where_the_message_has_them() -> None:
    processor = build()
    batch = processor(ask("what is", image(noise(1)), "and", image(noise(2)), "?"))
    ids = batch.input_ids_BL[0].tolist()
    tokenizer = processor.tokenizer
    (span_1, span_2) = batch.media
    before, between = ids[: span_1.start], ids[span_1.start + TOKENS : span_2.start]
    assert tokenizer.decode(before[5:]) == "what is"
    assert tokenizer.decode(between) == "and"
    assert ids[span_1.start : span_1.start + TOKENS] == [tokenizer.image_token_id] * TOKENS
    assert ids.count(tokenizer.image_token_id) == 2 * TOKENS


def test_pixels_are_normalised_with_the_encoders_mean_and_std() -> None:
    batch = build()(ask(image(Image.new("RGB", (9, 9), (255, 0, 51)))))
    assert batch.pixel_values is not None
    expected = torch.tensor([(1 - 0.5) / 0.5, (0 - 0.4) / 0.25, (0.2 - 0.3) / 0.2])
    torch.testing.assert_close(batch.pixel_values[0, :, 0, 0], expected)
    assert batch.pixel_values.shape == (1, 3, SIDE, SIDE)
    assert batch.pixel_values.dtype == torch.float32


def test_rows_with_different_media_are_padded_right(write_video) -> None:
    video = {"type": "video", "video": write_video()}
    processor = build()
    batch = processor([ask("what"), ask(video, "what color is the circle?"), ask(image(noise(0)))])
    lengths = batch.attention_mask_BL.sum(1).tolist()
    assert batch.input_ids_BL.shape == (3, max(lengths))
    for row, length in enumerate(lengths):
        assert batch.attention_mask_BL[row, :length].all()
        assert (batch.input_ids_BL[row, length:] == processor.tokenizer.pad_id).all()
    assert [(s.row, s.kind, s.first_tile, s.num_tiles) for s in batch.media] == [
        (1, "video", 0, 4),
        (2, "image", 4, 1),
    ]
    assert batch.pixel_values is not None
    assert len(batch.pixel_values) == 5
    assert batch.labels_BL is None


def test_a_row_is_the_same_alone_and_in_a_batch(write_video) -> None:
    rows = [ask(image(noise(1)), "what"), ask({"type": "video", "video": write_video()}, "is it?")]
    processor = build()
    together = processor(rows)
    for number, row in enumerate(rows):
        alone = processor(row)
        length = alone.input_ids_BL.shape[1]
        assert torch.equal(together.input_ids_BL[number, :length], alone.input_ids_BL[0])
        (span,) = [span for span in together.media if span.row == number]
        assert span.content_hash == alone.media[0].content_hash
        tiles = together.pixel_values[span.first_tile : span.first_tile + span.num_tiles]
        assert torch.equal(tiles, alone.pixel_values)


def test_text_alone_has_no_pixels() -> None:
    batch = build()(chat("what is red?"))
    assert batch.pixel_values is None
    assert batch.media == ()


def test_equal_images_have_equal_hashes_wherever_they_come_from(tmp_path: Path) -> None:
    noise(3).save(tmp_path / "a.png")
    batch = build()(ask(image(tmp_path / "a.png"), image(noise(3)), image(noise(4))))
    hashes = [span.content_hash for span in batch.media]
    assert hashes[0] == hashes[1] != hashes[2]


def test_a_videos_span_says_which_frames_and_when(write_video) -> None:
    video = {"type": "video", "video": str(write_video()), "start_s": 0.5, "end_s": 1.5}
    (span,) = build()(ask(video)).media
    # frames int(0.5 * 24) .. int(1.5 * 24), spread over 4
    assert span.frame_indices == (12, 20, 28, 36)
    assert span.timestamps == pytest.approx([12 / 24, 20 / 24, 28 / 24, 36 / 24])
    assert span.num_tokens == 4 * TOKENS


def test_frames_are_drawn_as_published(write_video) -> None:
    path = write_video()
    batch = build()(ask({"type": "video", "video": path, "start_s": 0.5, "end_s": 1.5}))
    frames = PyAVReader().read(path, [12, 20, 28, 36])
    bicubic = InterpolationMode.BICUBIC
    drawn = resize(frames, [SIDE, SIDE], bicubic, antialias=True).float() / 255
    mean, std = (torch.tensor(n)[:, None, None] for n in ((0.5, 0.4, 0.3), (0.5, 0.25, 0.2)))
    torch.testing.assert_close(batch.pixel_values, (drawn - mean) / std, atol=1e-6, rtol=0)


def test_one_image_is_tiled_and_several_get_one_tile_each() -> None:
    processor = build(image_tiler=PLMTilesTiler(SIDE, max_tiles=4))
    assert processor(ask(image(noise(1)))).media[0].num_tiles == 5
    several = processor(ask(image(noise(1)), image(noise(2)))).media
    assert [span.num_tiles for span in several] == [1, 1]


@pytest.mark.parametrize("resize", ["pil", "torchvision"])
def test_several_images_are_resized_as_the_tiler_resizes(resize: Resizer) -> None:
    processor = build(image_tiler=PLMTilesTiler(SIDE, max_tiles=4, resize=resize))
    alone = build(image_tiler=SingleTiler(SIDE, resize=resize))
    several = processor(ask(image(noise(1)), image(noise(2)))).pixel_values
    each = [alone(ask(image(noise(seed)))).pixel_values for seed in (1, 2)]
    assert torch.equal(several, torch.cat(each))


def test_labels_stand_under_the_answer_its_header_and_its_ends() -> None:
    processor = build()
    batch = processor(chat("what color?", "red.", "is the square blue?", "blue"),
                      generation_prompt=False)  # fmt: skip
    tokenizer = processor.tokenizer
    counted = batch.labels_BL[0] != -100
    assert torch.equal(batch.labels_BL[0][counted], batch.input_ids_BL[0][counted])
    learned = tokenizer.decode(batch.labels_BL[0][counted].tolist())
    assert learned == "assistant\n\nred.assistant\n\nblue"
    # header 4, answer, eot; after the last answer end_of_text too
    assert counted.sum() == (4 + 2 + 1) + (4 + 1 + 1 + 1)
    special = tokenizer.special_ids
    assert batch.input_ids_BL[0, -2:].tolist() == [special["eot_id"], special["end_of_text"]]


def test_padding_has_no_label() -> None:
    rows = [chat("what?", "red"), chat("what color is the circle?", "the circle is red")]
    batch = build()(rows, generation_prompt=False)
    assert (batch.labels_BL[batch.attention_mask_BL == 0] == -100).all()
    assert (batch.attention_mask_BL[0] == 0).any()


def test_turns_after_the_last_answer_are_left_out_of_training() -> None:
    processor = build()
    dangling = processor(chat("what?", "red", "and the square?"), generation_prompt=False)
    assert torch.equal(
        dangling.input_ids_BL, processor(chat("what?", "red"), generation_prompt=False).input_ids_BL
    )


@pytest.mark.parametrize("kept", [1, 2, 3, 4])
def test_max_length_cuts_whole_messages(kept: int) -> None:
    processor = build()
    turns = ["what?", "red", "is the circle red?", "blue blue", "and?", "red red red", "?", "."]
    whole = processor(chat(*turns[: 2 * kept]), generation_prompt=False)
    length = whole.input_ids_BL.shape[1]
    for slack in (0, 3):
        cut = processor(chat(*turns), generation_prompt=False, max_length=length + slack)
        assert torch.equal(cut.input_ids_BL, whole.input_ids_BL)


def test_media_of_messages_that_were_cut_are_not_read() -> None:
    processor = build()
    rows = [
        *ask(image(noise(1)), "what?"),
        {"role": "assistant", "content": "red"},
        *ask(image(noise(2)), "what?"),
        {"role": "assistant", "content": "blue"},
    ]
    whole = processor(rows, generation_prompt=False)
    cut = processor(rows, generation_prompt=False, max_length=whole.input_ids_BL.shape[1] - 1)
    assert len(cut.media) == len(cut.pixel_values) == 1
    assert cut.media[0].content_hash == whole.media[0].content_hash


def test_an_answer_that_does_not_fit_is_no_sample_without_labels() -> None:
    with pytest.raises(TokenizerError) as caught:
        build()(chat("what?", "red " * 50), generation_prompt=False, max_length=20)
    assert str(caught.value) == (
        "The first answer and what precedes it takes 65 positions, and at most 20 are allowed.\n"
        "  where:    conversation\n"
        "  expected: at most max_length=20 positions\n"
        "  fix:      use fewer tiles or frames (image_tiler.max_tiles, video_sampler.max_frames), "
        "or shorten the text"
    )


def test_a_prompt_that_does_not_fit_is_refused() -> None:
    with pytest.raises(TokenizerError, match="The prompt takes"):
        build()(chat("what?"), max_length=5)


def test_training_without_an_answer_is_refused() -> None:
    with pytest.raises(TokenizerError) as caught:
        build()([chat("what?", "red"), chat("what?")], generation_prompt=False)
    assert caught.value.what == "A conversation for training has no answer."
    assert caught.value.where == "conversations[1]"


@pytest.mark.parametrize(
    ("empty", "kind", "names"),
    [
        (["image_tiler"], "image", "image_tiler"),
        (["video_reader"], "video", "video_reader"),
        (["frame_transform", "video_sampler"], "video", "frame_transform, video_sampler"),
    ],
)
def test_a_medium_without_its_parts_is_refused(
    empty: list[str], kind: str, names: str, write_video
) -> None:
    source = noise(1) if kind == "image" else write_video()
    with pytest.raises(UnsupportedError) as caught:
        build(**dict.fromkeys(empty))(ask("look:", {"type": kind, kind: source}))
    assert caught.value.what == f"This variant takes no {kind}: it has no {names}."
    assert caught.value.where == "conversation[0].content[1]"


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("no image")
    with pytest.raises(MediaError, match=r"a\.png"):
        build()(ask(image(tmp_path / "a.png")))


@pytest.mark.parametrize("given", [None, 3, [], "what?", {"role": "user", "content": "what?"}])
def test_what_is_no_conversation_is_refused(given: object) -> None:
    with pytest.raises(TokenizerError) as caught:
        build()(given)  # type: ignore[arg-type]
    assert caught.value.where.startswith("conversation")


def test_a_fault_in_a_batch_is_named_by_its_row() -> None:
    with pytest.raises(TokenizerError) as caught:
        build()([chat("what?"), [{"role": "usr", "content": "what?"}]])
    assert caught.value.where == "conversations[1][0].role"


def test_a_template_that_leaves_nothing_is_refused() -> None:
    processor = build()
    processor.tokenizer = WordsTokenizer(words=WORDS, template="warmup")
    with pytest.raises(TokenizerError, match="leaves nothing of this conversation"):
        processor(chat("what?"))


def test_another_layout_is_refused() -> None:
    with pytest.raises(UnsupportedError) as caught:
        build(layout="sideways")
    assert str(caught.value) == (
        "The layout 'sideways' is unknown.\n"
        "  where:    Processor, argument layout\n"
        "  expected: one of: reference, hf\n"
        "  fix:      leave layout out for PerceptionLM's own, or say hf for that of transformers"
    )


class _LyingSampler:
    def max_frames_per_video(self) -> int:
        return 4

    def sample(self, facts: VideoFacts, *, peek: object = None) -> Sample:
        return Sample((3, 1), (0.1, 0.2))


def test_a_sampler_that_breaks_its_promise_is_named(write_video) -> None:
    with pytest.raises(ContractError) as caught:
        build(video_sampler=_LyingSampler())(ask({"type": "video", "video": write_video()}))
    assert caught.value.where == "video_sampler _LyingSampler"


class _StandingClock(PLMUniformSampler):
    def sample(self, facts: VideoFacts, *, peek: object = None) -> Sample:
        return Sample((1, 1, 3), (0.5, 0.5, 0.5))


def test_a_sampler_whose_times_do_not_rise_is_named(write_video) -> None:
    sampler = _StandingClock(max_frames=4)
    with pytest.raises(ContractError) as caught:
        build(video_sampler=sampler)(ask({"type": "video", "video": write_video()}))
    assert str(caught.value) == (
        "The sampler gave frames [1, 1, 3] the times [0.5, 0.5, 0.5].\n"
        "  where:    video_sampler _StandingClock\n"
        "  expected: times that rise from each frame to a later one\n"
        "  fix:      mend the sampler: its contract stands in plm_components.contracts.media"
    )


class _LyingTiler(SingleTiler):
    def __call__(self, image: Image.Image) -> torch.Tensor:
        return super().__call__(image).repeat(2, 1, 1, 1)


def test_a_tiler_that_makes_other_tiles_than_it_planned_is_named() -> None:
    with pytest.raises(ContractError, match="1 tiles were planned for a medium, and 2 "):
        build(image_tiler=_LyingTiler(SIDE))(ask(image(noise(0))))


class _PeekingSampler(PLMUniformSampler):
    def sample(self, facts: VideoFacts, *, peek) -> Sample:
        self.seen = peek([0, 5], 8)
        return super().sample(facts)


def test_samplers_may_look_at_small_frames_of_the_clip(write_video) -> None:
    sampler = _PeekingSampler(max_frames=4)
    path = write_video()
    video = {"type": "video", "video": path, "start_s": 0.5}
    build(video_sampler=sampler)(ask(video))
    assert sampler.seen.shape == (2, 3, 8, 8)
    assert sampler.seen.dtype == torch.uint8
    frames = PyAVReader().read(path, [12, 17])
    small = v2.functional.resize(frames, [8, 8], antialias=True)
    torch.testing.assert_close(sampler.seen, small, atol=1, rtol=0)


@pytest.mark.parametrize("special", ["<|image|>", "<|eot_id|>", "<|begin_of_text|>", "<image>"])
def test_special_tokens_in_a_users_text_stay_text(special: str) -> None:
    processor = build()
    plain = processor(chat("what?"))
    injected = processor(chat(f"what?{special}"))
    specials = set(processor.tokenizer.special_ids.values())
    count = [sum(i in specials for i in b.input_ids_BL[0].tolist()) for b in (plain, injected)]
    assert count[0] == count[1]


def test_boxes_are_drawn_on_sampled_frames_before_the_resize(write_video) -> None:
    path = write_video()
    # the sampler looks at frames 0, 16, 31 and 47
    boxes = {16: [5, 4, 40, 30], 20: [0, 0, 9, 9], 47: [1, 1, 63, 47]}
    video = {"type": "video", "video": path, "boxes": boxes}
    batch = build()(ask(video))
    frames_F3HW = PyAVReader().read(path, batch.media[0].frame_indices)
    for place, frame in ((1, 16), (3, 47)):
        box = torch.tensor([boxes[frame]])
        frames_F3HW[place] = draw_bounding_boxes(
            frames_F3HW[place], box, colors=(255, 0, 0), width=4
        )
    tiles = PLMFramesTransform(SIDE)(frames_F3HW).float() / 255

    mean, std = (torch.tensor(c)[:, None, None] for c in ((0.5, 0.4, 0.3), (0.5, 0.25, 0.2)))
    assert batch.media[0].frame_indices == (0, 16, 31, 47)
    torch.testing.assert_close(batch.pixel_values, (tiles - mean) / std, rtol=0, atol=1e-6)
    plain = build()(ask({"type": "video", "video": path}))
    assert plain.media[0].content_hash != batch.media[0].content_hash


def test_boxes_count_frames_of_the_file_not_of_the_clip(write_video) -> None:
    path, times = write_video(), {"start_s": 1.0, "end_s": 1.5}
    plain = build()(ask({"type": "video", "video": path, **times}))
    first = plain.media[0].frame_indices[0]
    boxed = build()(ask({"type": "video", "video": path, "boxes": {first: [1, 1, 9, 9]}, **times}))

    changed = (plain.pixel_values != boxed.pixel_values).flatten(1).any(1)
    assert first == 24
    assert changed.tolist() == [True, False, False, False]


def test_a_box_behind_the_video_is_refused_before_a_frame_is_read(write_video) -> None:
    path = write_video(count=12)
    with pytest.raises(MediaError) as caught:
        build()(ask({"type": "video", "video": path, "boxes": {"12": [1, 1, 2, 2]}}))
    assert caught.value.what == "Frame 12 has a box, and the video ends with frame 11."
    assert caught.value.where == str(path)
