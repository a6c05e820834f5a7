"""plm list and plm show."""

from __future__ import annotations

import json

import yaml

from plm_components.spec import shipped_specs
from plm_components.zoo import KINDS, list_components


def test_the_list_is_the_zoo(plm) -> None:
    outcome = plm("list", "--json")
    listed = json.loads(outcome.out)

    assert outcome.code == 0
    assert [one["address"] for one in listed] == [entry.address for entry in list_components()]
    assert {one["kind"] for one in listed} == set(KINDS)
    assert listed[0] == {
        "address": "vision_encoder/hf",
        "kind": "vision_encoder",
        "name": "hf",
        "summary": "transformers vision towers: SigLIP, SigLIP 2, CLIP, DINOv2, DINOv3",
        "contract": 1,
        "target": "plm_components.vision_encoders.hf:HFVisionEncoder",
        "provider": "plm-components",
        "version": "0.1.0",
        "status": "available",
        "untested_here": False,
        "reason": None,
        "requires": [],
    }


def test_the_list_for_people_has_a_line_a_part(plm) -> None:
    lines = plm("list", "pooling").out.splitlines()

    assert lines[0].split() == ["part", "status", "provider", "what", "it", "is"]
    assert [line.split()[:2] for line in lines[1:]] == [
        ["pooling/adaptive", "available"],
        ["pooling/mean", "available"],
    ]


def test_the_whole_list_ends_with_the_specs(plm) -> None:
    last = plm("list").out.splitlines()[-1]

    assert last == f"specs: {', '.join(shipped_specs())}  (plm show SPEC)"
    assert "plm-tiny" in last


def test_an_unknown_kind_is_told_the_nearest(plm) -> None:
    outcome = plm("list", "projectr")

    assert outcome.code == 1
    assert outcome.err == (
        "There is no kind 'projectr'.\n"
        "  where:    projectr\n"
        f"  expected: one of: {', '.join(KINDS)}\n"
        "  fix:      did you mean projector?\n"
    )


def test_a_part_shows_its_options(plm) -> None:
    outcome = plm("show", "projector/avg_pool_mlp")

    assert outcome.code == 0
    lines = outcome.out.splitlines()
    assert lines[0] == "projector/avg_pool_mlp"
    assert "  wired     in_dim, out_dim" in lines
    assert "  options   pool: int = 2" in lines
    assert "  parts     pooling: pooling = mean" in lines
    assert "Projects each vision token by an MLP" in outcome.out


def test_a_part_shows_its_options_to_a_program(plm) -> None:
    shown = json.loads(plm("show", "decoder/llama", "--json").out)

    assert shown["wired"] == []
    assert shown["options"]["num_layers"] == "num_layers: int"
    assert shown["slots"]["block"]["kind"] == "decoder_block"
    assert shown["slots"]["block"]["repeated"] is True


def test_an_unknown_part_is_told_the_nearest(plm) -> None:
    outcome = plm("show", "projector/avg_pool_mpl")

    assert outcome.code == 1
    assert outcome.err.splitlines()[0] == "No projector is named 'avg_pool_mpl'."
    assert outcome.err.splitlines()[3] == "  fix:      did you mean avg_pool_mlp?"


def test_a_spec_is_shown_with_every_default(plm) -> None:
    outcome = plm("show", "plm-tiny", "projector.order=pool_last")
    shown = yaml.safe_load(outcome.out)

    assert outcome.code == 0
    assert list(shown)[:4] == ["plm", "vision_encoder", "projector", "decoder"]
    assert shown["projector"]["order"] == "pool_last"
    assert shown["projector"]["pooling"] == {"type": "mean"}


def test_a_shown_spec_is_the_same_spec(plm, tmp_path) -> None:
    first = plm("show", "plm-tiny").out
    (tmp_path / "copy.yaml").write_text(first)

    assert plm("show", str(tmp_path / "copy.yaml")).out == first


def test_a_part_takes_no_overrides(plm) -> None:
    outcome = plm("show", "projector/linear", "pool=2")

    assert outcome.code == 2
    assert outcome.err.startswith("A part takes no overrides.\n")


def test_a_shown_spec_says_what_auto_takes_and_stays_a_spec(plm, tmp_path) -> None:
    outcome = plm("show", "plm-tiny", "decoder.block.attention=auto")
    head, *chosen = [line for line in outcome.out.splitlines() if line.startswith("#")]

    assert head == "# on cpu in float32; plm check --device … --dtype … says it for others:"
    assert [line.partition(",")[0] for line in chosen] == ["# decoder.block.attention"] * 2
    assert ": sdpa, not measured on this hardware (" in chosen[0]
    (tmp_path / "shown.yaml").write_text(outcome.out)
    again = plm("show", str(tmp_path / "shown.yaml"))
    assert yaml.safe_load(again.out) == yaml.safe_load(outcome.out)
    assert "#" not in plm("show", "plm-tiny").out, "a spec that chooses nothing has no remark"


def test_check_says_what_auto_takes_on_the_device_asked_for(plm) -> None:
    words = ("check", "plm-tiny", "decoder.block.attention=auto", "--device", "mps")
    outcome = plm(*words, "--dtype", "bfloat16")

    assert outcome.code == 0
    lines = [line for line in outcome.out.splitlines() if line.startswith("decoder.block.att")]
    assert lines[-2].startswith("decoder.block.attention, prefill: sdpa, ")
    assert lines[-1].startswith("decoder.block.attention, decode: sdpa, ")
    told = json.loads(plm(*words, "--json").out)["choices"]
    assert [(one["path"], one["stage"], one["part"]) for one in told] == [
        ("decoder.block.attention", "prefill", "sdpa"),
        ("decoder.block.attention", "decode", "sdpa"),
    ]


def test_check_knows_no_such_device(plm) -> None:
    outcome = plm("check", "plm-tiny", "--device", "abacus")

    assert outcome.code == 2
    assert outcome.err.startswith("There is no device 'abacus'.")


def test_what_a_part_chooses_among_is_shown(plm) -> None:
    assert "  among     every other attention\n" in plm("show", "attention/auto").out
    told = json.loads(plm("show", "attention/auto", "--json").out)

    assert told["candidates"] == {"candidates": "attention"}
    assert list(told["options"]) == ["precision", "table"]
    assert told["slots"] == {}
