"""plm graft: the receipt, a fresh projector named, and what asking such a variant needs."""

from __future__ import annotations

import json
from pathlib import Path

from PIL import Image

WORDS = (
    "weights=null",
    "vision_encoder.weights=package:plm-tiny",
    "decoder.weights=package:plm-tiny",
    "--init",
    "random",
)


def test_the_receipt_is_printed_and_the_fresh_part_named(plm, tmp_path: Path) -> None:
    place = tmp_path / "mine"
    outcome = plm("graft", "plm-tiny", str(place), *WORDS, "--seed", "4")
    lines = outcome.out.splitlines()

    assert (outcome.code, outcome.err) == (0, "")
    assert [line.partition(":")[0] for line in lines] == [
        "vision_encoder",
        "projector",
        "decoder",
        "saved",
        "never trained",
    ]
    assert lines[0].endswith(", read from package:plm-tiny")
    assert lines[1].endswith(", random, seed 4 (fresh: nothing learned)")
    assert lines[3:] == [f"saved: {place}", "never trained: projector"]


def test_words_are_answered_and_pictures_only_when_noise_is_wanted(plm, tmp_path: Path) -> None:
    place, picture = tmp_path / "mine", tmp_path / "picture.png"
    Image.new("RGB", (64, 48), (200, 30, 30)).save(picture)
    assert plm("graft", "plm-tiny", str(place), *WORDS).code == 0
    ask = ("ask", str(place), "what is there?", "--max-new-tokens", "4")

    words = plm(*ask)
    refused = plm(*ask, "--image", str(picture))
    allowed = plm(*ask, "--image", str(picture), "--allow-untrained")

    assert words.code == 0
    assert (refused.code, refused.out) == (2, "")
    assert "The projector was never trained: the answer would be noise.\n" in refused.err
    assert allowed.code == 0
    assert allowed.err == "note: never trained: projector\n"


def test_json_and_a_place_that_is_taken(plm, tmp_path: Path) -> None:
    words = ("graft", "plm-tiny", str(tmp_path / "mine"), *WORDS, "--json")
    told = json.loads(plm(*words).out)
    again = plm(*words)

    assert told["fresh"] == ["projector"]
    assert [line["part"] for line in told["receipt"]] == ["vision_encoder", "projector", "decoder"]
    assert again.code == 2
    assert again.err.startswith("A variant is saved here already.\n")
    assert plm(*words, "--overwrite").code == 0


def test_parts_without_weights_want_init(plm, tmp_path: Path) -> None:
    outcome = plm("graft", "plm-tiny", str(tmp_path / "mine"), *WORDS[:3])

    assert outcome.code == 2
    assert outcome.err.startswith(
        "The spec names weights of vision_encoder, decoder, and none of projector.\n"
    )
    assert not (tmp_path / "mine").exists()
