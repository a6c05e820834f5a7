"""plm export: exit codes, what it prints, and that it takes what plm ask takes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from plm_components.spec import dump_yaml
from plm_exports import plm_spec
from published import Size, save_small
from published_files import write_byte_tokenizer

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


def test_what_was_left_aside_when_it_was_loaded_is_told(plm, spec: str, tmp_path: Path) -> None:
    first, out = tmp_path / "first", tmp_path / "out"
    assert plm("export", spec, str(first), "--format", "original", *RANDOM).code == 0
    weights = torch.load(first / "consolidated.pth", weights_only=True)
    torch.save({**weights, "rope.freqs": torch.zeros(2)}, first / "consolidated.pth")
    note = "tensors of the files that the model does not have: "
    note += "output.tied_module.weight, rope.freqs"

    line = ("export", str(first), str(out), "--format", "original")
    told, for_a_program = plm(*line), plm(*line, "--overwrite", "--json")

    assert (told.code, told.err) == (0, f"note: {note}\n")
    assert json.loads(for_a_program.out)["notes"] == [note]


def test_asking_tells_it_too(plm, tmp_path: Path, capsys) -> None:
    write_byte_tokenizer(tmp_path)
    save_small(tmp_path, Size(), vocab_size=272)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "mood": "bright"}))
    capsys.readouterr()  # transformers' progress
    outcome = plm("ask", str(tmp_path), "what?", "--max-new-tokens", "1", "--json")
    notes = json.loads(outcome.out)["notes"]

    assert notes == ["config.json: nothing here knows mood"]
    assert (outcome.code, outcome.err) == (0, f"note: {notes[0]}\n")
