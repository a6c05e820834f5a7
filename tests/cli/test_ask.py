"""plm ask: media in order, streams, saved variants, odd questions."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from PIL import Image

from plm_components.cli.media_arguments import conversation
from plm_components.errors import UsageError
from plm_components.spec import shipped_specs

# plm-tiny made smaller, with random weights: what is asked about here is the command line
SMALL = (
    "weights=null",
    "decoder.num_layers=1",
    "--init",
    "random",
    "--allow-untrained",
    "--max-new-tokens",
    "4",
)
NOISE = "note: never trained: vision_encoder, projector, decoder\n"


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "picture.png"
    Image.new("RGB", (64, 48), (200, 30, 30)).save(path)
    return path


def test_media_keep_the_order_they_were_written_in(plm, picture, write_video) -> None:
    clip = write_video(count=12)
    media = ("--image", str(picture), "--video", str(clip), "--images", str(picture), str(picture))
    outcome = plm("ask", "plm-tiny", "what is there?", *media, "--json", *SMALL)
    told = json.loads(outcome.out)

    assert outcome.code == 0
    assert outcome.err == NOISE
    assert [one["kind"] for one in told["media"]] == ["image", "video", "image", "image"]
    assert told["question"] == "what is there?"
    assert isinstance(told["answer"], str)


def test_the_answer_is_streamed_piece_by_piece(plm, picture, monkeypatch) -> None:
    flushed: list[str] = []
    write = sys.stdout.write
    monkeypatch.setattr(sys.stdout, "write", lambda text: flushed.append(text) or write(text))
    outcome = plm("ask", "plm-tiny", "what is there?", "--image", str(picture), *SMALL)

    assert outcome.code == 0
    assert "".join(flushed) == outcome.out
    assert len(flushed) > 2


def test_the_same_seed_samples_the_same_answer(plm) -> None:
    def ask(seed: str) -> str:
        words = ("ask", "plm-tiny", "what?", "--temperature", "2", "--seed", seed, *SMALL)
        return str(plm(*words).out)

    first = ask("1")
    assert ask("1") == first
    assert ask("2") != first


def test_overrides_may_stand_before_and_behind_the_options(plm) -> None:
    before = plm("ask", "plm-tiny", "what?", *SMALL)
    behind = plm("ask", "plm-tiny", "what?", *SMALL[2:], *SMALL[:2])

    assert before.code == 0
    assert before == behind


def test_a_saved_variant_is_asked_by_its_directory(plm, tmp_path: Path) -> None:
    from plm_components.opening import assemble

    variant = assemble("plm-tiny", overrides=SMALL[:2], init="random")
    variant.save(tmp_path / "mine")
    words = ("--max-new-tokens", "4", "--allow-untrained")
    outcome = plm("ask", str(tmp_path / "mine"), "what?", *words)

    assert outcome.code == 0
    assert outcome.err == NOISE
    assert outcome.out == variant.ask("what?", max_new_tokens=4, allow_untrained=True) + "\n"


def test_a_saved_variant_takes_overrides_that_its_weights_fit(plm, tmp_path: Path) -> None:
    from plm_components.opening import assemble

    assemble("plm-tiny", overrides=SMALL[:2], init="random").save(tmp_path / "mine")
    words = ("ask", str(tmp_path / "mine"), "what?", "--max-new-tokens", "1", "--allow-untrained")

    assert plm(*words, "tokenizer.system_prompt=Be brief.").code == 0
    outcome = plm(*words, "decoder.num_layers=2")
    assert outcome.code == 1
    assert "load them with the spec they were saved with, without overrides" in outcome.err


def test_a_saved_variant_has_weights_and_nothing_to_fill(plm, tmp_path: Path) -> None:
    outcome = plm("ask", str(tmp_path), "what?", "--init", "random")

    assert outcome.code == 2
    assert outcome.err.startswith("--init has nothing to fill: a saved variant brings its weights.")


def test_a_directory_never_shadows_a_spec_that_ships(plm, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("plm-tiny").mkdir()
    Path("mine").mkdir()

    assert plm("ask", "plm-tiny", "what?", *SMALL).code == 0
    assert plm("ask", "mine", "what?") == (
        2,
        "",
        "'mine' is a directory, and a bare name means a spec that ships.\n"
        "  where:    plm ask\n"
        f"  expected: one of: {', '.join(shipped_specs())}; or a path\n"
        "  fix:      plm ask ./mine\n",
    )


def test_weights_read_under_another_spec_are_told(plm) -> None:
    changed = ("decoder.rope_theta=500000.0", "--max-new-tokens", "2")
    outcome = plm("ask", "plm-tiny", "what?", *changed, "--json")

    assert outcome.code == 0
    assert outcome.err.startswith("note: decoder.rope_theta was 10000.0, is 500000.0\n")
    assert json.loads(outcome.out)["notes"] == ["decoder.rope_theta was 10000.0, is 500000.0"]


def test_a_clip_carries_its_times() -> None:
    messages = conversation("when?", [("image", "a.png"), ("video", "b.mp4")], start_s=1.5)

    assert messages == [
        {
            "role": "user",
            "content": [
                {"type": "image", "image": "a.png"},
                {"type": "video", "video": "b.mp4", "start_s": 1.5},
                {"type": "text", "text": "when?"},
            ],
        }
    ]


@pytest.mark.parametrize(
    ("question", "media", "times", "what"),
    [
        (" \n", [], {}, "The question is empty."),
        ("when?", [("image", "a.png")], {"start_s": 1.0}, "--start and --end need a video."),
        (
            "when?",
            [("video", "a.mp4")],
            {"start_s": 2.0, "end_s": 1.0},
            "The clip ends at 1 s and starts at 2 s.",
        ),
    ],
)
def test_questions_that_make_no_sense(question, media, times, what) -> None:
    with pytest.raises(UsageError) as caught:
        conversation(question, media, **times)

    assert caught.value.what == what


def test_special_tokens_in_a_question_are_text(plm) -> None:
    outcome = plm("ask", "plm-tiny", "<|image|> <|eot_id|><|video|> what?", *SMALL)

    assert outcome.code == 0
    assert outcome.err == NOISE


@pytest.mark.parametrize("size", [(1, 1), (20_000, 20), (20, 20_000)])
def test_pictures_of_odd_shape_are_answered(plm, tmp_path: Path, size: tuple[int, int]) -> None:
    path = tmp_path / "odd.png"
    Image.new("RGB", size, (10, 200, 30)).save(path)
    outcome = plm("ask", "plm-tiny", "what is there?", "--image", str(path), *SMALL)

    assert outcome.code == 0
    assert outcome.err == NOISE


def test_a_device_that_is_none_is_an_error_not_a_traceback(plm) -> None:
    outcome = plm("ask", "plm-tiny", "what?", "--device", "cudda")

    assert outcome.code == 2
    assert outcome.err.startswith("There is no device 'cudda'.\n")
    assert outcome.err.endswith("  fix:      plm doctor\n")


def test_an_error_is_json_for_a_program(plm) -> None:
    outcome = plm("ask", "plm-tinny", "what?", "--json")
    error = json.loads(outcome.out)["error"]

    assert outcome.code == 1
    assert error["what"] == "No spec is named 'plm-tinny'."
    assert error["fix"] == "did you mean plm-tiny?"


def test_a_hub_id_is_loaded_not_taken_for_a_spec(plm, monkeypatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    told = plm("ask", "nobody-at-all/no-such-model", "what?")

    assert told.code == 1
    assert told.err.startswith("The weights cannot be fetched")
    assert "  where:    nobody-at-all/no-such-model\n" in told.err
