"""What is wrong with the input is one error: four fields, exit code 1, nothing half done."""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import dedent

import pytest

SMALL = (
    "weights=null",
    "decoder.num_layers=1",
    "--init",
    "random",
    "--allow-untrained",
    "--max-new-tokens",
    "2",
)
NOISE = "note: never trained: vision_encoder, projector, decoder\n"


def _error(what: str, where: object, expected: str, fix: str) -> str:
    return f"{what}\n  where:    {where}\n  expected: {expected}\n  fix:      {fix}\n"


@pytest.mark.parametrize(
    ("override", "text"),
    [
        (
            "projector.type=avg_pool_mpl",
            _error(
                "1. No projector is named 'avg_pool_mpl'.",
                "projector.type",
                "one of: avg_pool_mlp, linear, perceiver_resampler, pixel_shuffle_mlp",
                "did you mean avg_pool_mlp?",
            ),
        ),
        (
            "projector.pol=2",
            _error(
                "1. projector/avg_pool_mlp has no option 'pol'.",
                "projector.pol",
                "one of: pool, order, pooling, type, weights, trainable",
                "did you mean pool or pooling?",
            ),
        ),
        (
            "projector.pool=two",
            _error(
                "1. projector.pool is the text 'two', not a whole number.",
                "projector.pool",
                "int",
                "give a whole number",
            ),
        ),
        (
            "projector.in_dim=128",
            _error(
                "1. in_dim is derived from vision_encoder.",
                "projector.in_dim",
                "options of projector/avg_pool_mlp: pool, order, pooling",
                "delete the key in_dim",
            ),
        ),
        (
            "projector.pool=3",
            _error(
                "1. 64 tokens cannot be pooled 3x3.",
                "projector (projector/avg_pool_mlp, input of forward (grid 8x8))",
                "grid sides that divide by pool=3",
                "set projector.pool=2",
            )
            + "This mends it: projector.pool=2\n",
        ),
        (
            "decoder.block.num_heads=5",
            _error(
                "1. 192 channels do not divide into 5 heads.",
                "decoder.block.num_heads",
                "a divisor of 192",
                "set decoder.block.num_heads=4",
            )
            + "This mends it: decoder.block.num_heads=4\n",
        ),
    ],
)
def test_a_spec_that_does_not_fit(plm, override: str, text: str) -> None:
    # two key/value heads: how many there are is the recipe's to change
    outcome = plm("check", "plm-tiny", "decoder.block.num_kv_heads=2", override)

    assert outcome.code == 1
    assert outcome.out.endswith(f"{text}The parts do not fit.\n")


def test_a_spec_that_fits(plm) -> None:
    outcome = plm("check", "plm-tiny")

    assert outcome.code == 0
    assert outcome.err == ""
    assert re.search(r"^parameters: 2,\d{3},\d{3}$", outcome.out, re.M)
    assert outcome.out.endswith("\nThe parts fit.\n")


def test_bases_that_run_in_a_circle(plm, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.yaml").write_text("base: ./b.yaml\n")
    Path("b.yaml").write_text("base: ./a.yaml\n")

    assert plm("check", "./a.yaml") == (
        1,
        "",
        _error(
            "base: runs in a circle: ./a.yaml -> ./b.yaml -> ./a.yaml.",
            "./b.yaml: base",
            "at most 16 specs, each based on another",
            "take base: out of one of them",
        ),
    )


IMAGE = "an image file: PNG, JPEG, WebP, GIF, BMP, TIFF, AVIF, …"
LOOK = "open it in a viewer, and save it again if it looks right; a video goes in as a video"
PATH = "check the path"
VIDEO = "a video file that FFmpeg can decode: mp4, webm, mkv, mov, avi, …"
PLAY = "play it to see whether it is whole; if so, re-encode it: ffmpeg -i FILE out.mp4"


@pytest.mark.parametrize(
    ("option", "name", "content", "what", "expected", "fix"),
    [
        ("--image", "a.png", b"no image", "The image cannot be read: it is no image.", IMAGE, LOOK),
        ("--image", "a.png", b"", "The image cannot be read: the file is empty.", IMAGE, LOOK),
        ("--image", "a.png", None, "The image cannot be read: there is no such file.", IMAGE, PATH),
        ("--video", "a.mp4", None, "The video cannot be read: there is no such file.", VIDEO, PATH),
        ("--video", "a.mp4", b"", "The video cannot be read: the file is empty.", VIDEO, PLAY),
        (
            "--video",
            "a.mp4",
            b"no video",
            "The video cannot be read: invalid data found when processing input.",
            VIDEO,
            PLAY,
        ),
    ],
)
def test_a_medium_that_is_none(
    plm, tmp_path: Path, option: str, name: str, content: bytes | None, what, expected, fix
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)

    outcome = plm("ask", "plm-tiny", "what?", option, str(path), *SMALL)

    assert outcome == (1, "", NOISE + _error(what, path, expected, fix))


def test_a_truncated_video(plm, write_video) -> None:
    clip = write_video(count=12)
    clip.write_bytes(clip.read_bytes()[:-800])
    outcome = plm("ask", "plm-tiny", "what?", "--video", str(clip), *SMALL)

    assert outcome.code == 1
    assert outcome.err.splitlines()[1].startswith("The video cannot be read: ")
    assert outcome.err.endswith(f"  fix:      {PLAY}\n")


def test_a_video_of_sound_only(plm, tmp_path: Path) -> None:
    import av
    import numpy as np

    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16_000)
        samples = np.zeros((1, 1024), np.float32)
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
        frame.sample_rate = 16_000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())

    outcome = plm("ask", "plm-tiny", "what?", "--video", str(path), *SMALL)

    what = "The video cannot be read: there is no video in it."
    assert outcome == (1, "", NOISE + _error(what, path, VIDEO, PLAY))


def test_weights_of_another_spec(plm, tmp_path: Path, monkeypatch) -> None:
    from plm_components.opening import assemble

    monkeypatch.chdir(tmp_path)
    assemble("plm-tiny", overrides=SMALL[:2], init="random").save("one-layer")
    Path("two-layers.yaml").write_text(
        dedent(
            """
            base: plm-tiny
            decoder: {num_layers: 2}
            weights: plm:one-layer
            """
        )
    )
    outcome = plm("ask", "./two-layers.yaml", "what?")

    assert outcome.code == 1
    assert outcome.out == ""
    assert "decoder.layers.1." in outcome.err
    assert len(outcome.err.splitlines()) == 4


def test_a_demo_that_cannot_write_leaves_nothing(plm, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    outcome = plm("demo", "--seed", "1", "--out", str(tmp_path / "taken"))

    assert outcome.code == 1
    assert outcome.err.startswith("File exists.\n")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]
