"""plm export: exit codes, what it prints, and that it takes what plm ask takes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from plm_components.spec import dump_yaml
from plm_exports import plm_spec

RANDOM = ("--init", "random")


@pytest.fixture
def spec(tmp_path: Path) -> str:
    path = tmp_path / "mine.yaml"
    words = {"type": "words", "words": ["red"], "system_prompt": ""}
    path.write_text(dump_yaml(plm_spec(words)))
    return str(path)


def test_what_was_written_and_what_was_left_out(plm, spec: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    outcome = plm("export", spec, str(out), *RANDOM, "projector.pool=4", "--dtype", "bfloat16")
    size = sum(file.stat().st_size for file in out.iterdir())
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out == (
        f"{out}: transformers' PerceptionLM format, 4 files, {size:,} bytes\n"
        "  left out: the tokenizer's and the processor's files: no tokenizer.json gives the ids "
        "of tokenizer/words for every text\n"
        "  left out: video_sampler/plm_uniform: transformers takes every frame it is given, and "
        "chooses by its own rule where its caller says do_sample_frames=True\n"
    )
    config = json.loads((out / "config.json").read_text())
    assert (config["projector_pooling_ratio"], config["dtype"]) == (4, "bfloat16")


def test_json_and_an_earlier_export(plm, spec: str, tmp_path: Path) -> None:
    out = str(tmp_path / "out")
    line = ("export", spec, out, "--format", "original", "--json", *RANDOM)
    first = json.loads(plm(*line).out)
    assert (first["format"], first["directory"]) == ("original", out)
    assert first["files"] == ["consolidated.pth", "params.json", "plm.export.json"]
    again = plm(*line)
    assert again.code == 2
    assert json.loads(again.out)["error"]["what"] == "A variant is exported here already."
    assert plm(*line, "--overwrite").code == 0


def test_every_reason_of_a_refusal(plm, spec: str, tmp_path: Path) -> None:
    edits = ("vision_encoder.norm_eps=1e-6", "decoder.norm_eps=1e-3")
    outcome = plm("export", spec, str(tmp_path / "out"), "--json", *RANDOM, *edits)
    faults = json.loads(outcome.out)["error"]["faults"]
    assert outcome.code == 1
    assert [fault["where"] for fault in faults] == [
        "vision_encoder.norm_eps", "decoder.norm_eps, decoder.block.norm_eps"
    ]  # fmt: skip
    assert not (tmp_path / "out").exists()


def test_a_bare_name_of_a_directory_is_told_of(
    plm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine").mkdir()
    monkeypatch.chdir(tmp_path)
    outcome = plm("export", "mine", "out")
    assert outcome.code == 2
    assert "where:    plm export\n" in outcome.err
    assert "fix:      plm export ./mine\n" in outcome.err
