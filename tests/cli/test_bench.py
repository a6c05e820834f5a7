"""``plm bench`` on a small spec, in seconds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from plm_components.bench.files import read
from plm_components.measured import read_table
from plugin_dists import Site, registering

QUICK = ("bench", "plm-tiny", "--dtype", "float32", "--time", "0.01")
KERNEL = """
from plm_components.kernels.attention.eager import EagerAttention

class Mine(EagerAttention):
    pass

class Wrong(EagerAttention):
    def __call__(self, q, k, v, mask):
        return super().__call__(q, k, v, mask) * 1.01

class Leaves(EagerAttention):
    def __call__(self, q, k, v, mask):
        raise SystemExit(0)
"""


def test_a_person_reads_tables_and_the_price_of_the_whole(plm) -> None:
    done = plm(*QUICK, "--only", "pooling")
    assert done.code == 0
    lines = done.out.splitlines()
    assert lines[0] == "plm-tiny, 1tile: 1 tile, a prompt of 80 positions"
    assert "pooling/projector, 1 x in projector.pooling (cpu)" in lines
    assert any(line.startswith("pooling/mean [spec]") for line in lines)
    assert any(line.startswith("pooling/adaptive [oracle]") and "1.00x" in line for line in lines)
    assert any(line.startswith("project: ") and "(an estimate)" in line for line in lines)
    assert "… pooling/projector: pooling/mean at the gate (2/3)" in done.err


def test_a_measured_projector_is_the_price_of_its_stage(plm) -> None:
    done = plm(*QUICK, "--only", "projector")
    assert done.code == 0
    assert "another function: linear, perceiver_resampler, pixel_shuffle_mlp" in done.out
    assert "is another function" not in done.out
    (project,) = [line for line in done.out.splitlines() if line.startswith("project: ")]
    assert "(measured)" in project
    assert "saves -" not in done.out


def test_a_program_reads_one_document(plm, tmp_path: Path) -> None:
    kept, table = tmp_path / "rounds.json", tmp_path / "table.json"
    words = ("--input", "decode", "--only", "attention", "--out", str(kept), "--tune", str(table))
    done = plm(*QUICK, *words, "--json", "decoder.num_layers=2")
    assert done.code == 0
    document = json.loads(done.out)
    assert (document["spec"], document["input"], document["context"]) == ("plm-tiny", "decode", 80)
    attention, layer = document["operations"]
    assert (attention["operation"], attention["times"]) == ("attention/decode", 2)
    assert attention["sizes"]["num_keys"] == 81
    assert layer["records"] == []
    timed = {record["part"] for record in attention["records"] if record["rounds_s"]}
    assert {"attention/eager", "attention/sdpa"} <= timed
    refused = {record["part"]: record["refused"] for record in attention["records"]}
    assert refused["attention/eager"] is None
    (stage,) = document["price"]["stages"]
    assert (stage["stage"], stage["is_measured"]) == ("decode", False)
    assert document["written"] == [str(kept), str(table)]
    assert len(read(kept).records) == len(attention["records"])
    rows = read_table(table).rows
    assert {row.part for row in rows} == timed - {"attention/auto"}


def test_a_plugins_kernel_joins_and_a_wrong_one_gets_no_time(plm, site: Site) -> None:
    site.module("kernels_of_mine", KERNEL)
    site.plugin(
        "plm_mine",
        registering(
            '"attention", "mine", "kernels_of_mine:Mine"',
            '"attention", "wrong", "kernels_of_mine:Wrong"',
            '"attention", "leaves", "kernels_of_mine:Leaves"',
        ),
    )
    only = ("--input", "prefill", "--only", "attention/mine")
    done = plm(*QUICK, *only)
    assert done.code == 0
    assert any(line.startswith("attention/mine  ") for line in done.out.splitlines())
    done = plm(*QUICK, *only, "--only", "attention/wrong", "--only", "attention/leaves")
    assert done.code == 1
    (leaves,) = (line for line in done.out.splitlines() if "wrong: attention/leaves" in line)
    assert leaves.startswith("  wrong: attention/leaves: attention/prefill (")
    assert "): the first call raised RuntimeError: " in leaves
    assert "  wrong: attention/wrong: attention/prefill" in done.out


def test_one_part_beside_another(plm) -> None:
    compare = (*QUICK[:-1], "0.05", "--input", "decode", "--ab", "pooling/mean", "pooling/mean")
    assert plm(*compare).code == 2
    done = plm(
        *QUICK[:-1],
        "0.1",
        "--input",
        "prefill",
        "--json",
        "--ab",
        "attention/sdpa",
        "attention/flex",
    )
    assert done.code == 1
    (found,) = json.loads(done.out)["operations"]
    assert (found["operation"], found["finding"]) == ("attention/prefill", "slower")


def test_what_cannot_be_compared_is_not_found_as_fast(plm) -> None:
    # grouped decodes only, so nothing is known of prefill
    done = plm(*QUICK, "--input", "prefill", "--ab", "attention/sdpa", "attention/grouped")
    assert done.code == 1
    assert "not compared: attention/grouped does not compete" in done.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--input", "36tiles"), "No image of this composition has a canvas of 36 tiles."),
        (("--input", "many"), "There is no input 'many'."),
        (("--time", "0"), "No part can be timed for 0 seconds."),
        (("--time", "nan"), "No part can be timed for nan seconds."),
        (("--time", "inf"), "No part can be timed for inf seconds."),
        (("--text-tokens", "-5"), "No prompt has -5 positions."),
        (
            ("--ab", "attention/sdpa", "attention/eager", "--mode", "cold", "--mode", "warm"),
            "Times of cold and warm are not comparable.",
        ),
        (("--out", "."), "No file . can be written."),
        (("--out", "a.json", "--tune", "./a.json"), "The table would replace the measurements."),
        (("--device", "gpu"), "There is no device 'gpu'."),
        (("--mode", "cold", "--only", "pooling"), "Nothing is timed 'cold' on a cpu."),
        (("--ab", "attention/sdpa", "pooling/mean"), "are of different kinds."),
        (("--ab", "attention/sdpa", "attention/eager", "--whole"), "--whole would mean nothing"),
        (("--budget", "5%"), "--budget would mean nothing here."),
        (("--out", "nowhere/there/rounds.json"), "There is no folder for nowhere/there"),
    ],
)
def test_wrong_usage_is_told_before_anything_is_measured(plm, words, said) -> None:
    done = plm("bench", "plm-tiny", *words)
    assert done.code == 2
    assert said in done.err


@pytest.mark.parametrize("word", ["report", "tune"])
def test_what_is_made_of_files_needs_files_and_a_place(plm, word) -> None:
    done = plm("bench", word)
    assert done.code == 2
    assert f"plm bench {word} measured.json --out " in done.err
    done = plm("bench", word, "measured.json", "--out", "there", "--time", "2", "--backward")
    assert done.code == 2
    assert "--backward, --time would mean nothing here." in done.err


def test_files_become_a_page_and_a_table(plm, tmp_path: Path) -> None:
    kept, table = tmp_path / "rounds.json", tmp_path / "table.json"
    words = ("--input", "prefill", "--only", "attention/sdpa", "--out", str(kept))
    assert plm(*QUICK, *words).code == 0
    done = plm("bench", "report", str(kept), "--out", str(tmp_path / "page"))
    assert (done.code, (tmp_path / "page" / "index.html").is_file()) == (0, True)
    # the same twice is one row a part
    done = plm("bench", "tune", str(kept), str(kept), "--out", str(table))
    assert (done.code, done.out) == (0, f"written: {table}\n")
    parts = sorted(row.part for row in read_table(table).rows)
    assert parts == ["attention/eager", "attention/sdpa"]
