"""The contract solver: totals that are known, faults that are told, edits that are tried."""

import json
import subprocess
import sys
from typing import Any

import pytest
import torch

import plm_components as plm
from plm_components.assembly import Report, check
from plm_components.errors import PluginError, SpecError, UsageError
from plm_components.spec import shipped_specs
from plm_components.zoo import Zoo
from small_specs import tiny_spec

# arXiv 2504.13180 and the published checkpoints; tied heads counted once
PUBLISHED = {"plm-1b": 1_533_524_992, "plm-3b": 3_516_753_920, "plm-8b": 9_794_260_736}


def faults_of(report: Report) -> list[str]:
    return [str(fault) for fault in report.faults]


@pytest.mark.parametrize("name", PUBLISHED)
def test_parameters_are_those_of_the_published_models(name: str) -> None:
    report = check(name)
    assert faults_of(report) == []
    assert report.totals.parameters == PUBLISHED[name]
    assert report.totals.weight_bytes == 4 * PUBLISHED[name]
    assert report.totals.tokens_per_tile == 256
    assert report.totals.tokens_per_image == 37 * 256
    assert report.totals.tokens_per_video == 32 * 256


def test_parameters_are_those_of_transformers_own_model() -> None:
    from transformers import PerceptionLMConfig, PerceptionLMForConditionalGeneration

    config = PerceptionLMConfig(
        vision_config={
            "model_type": "timm_wrapper",
            "architecture": "vit_pe_core_large_patch14_336",
            "do_pooling": True,
            "model_args": {
                "embed_dim": 1024,
                "depth": 23,
                "img_size": [448, 448],
                "global_pool": "",
                "use_post_transformer_norm": False,
                "init_values": 0.1,
                "ref_feat_shape": [32, 32],
            },
        },
        text_config={
            "model_type": "llama",
            "hidden_size": 2048,
            "intermediate_size": 8192,
            "num_attention_heads": 32,
            "num_key_value_heads": 8,
            "num_hidden_layers": 16,
            "head_dim": 64,
            "vocab_size": 128256,
            "tie_word_embeddings": True,
        },
        projector_pooling_ratio=2,
        vision_use_cls_token=True,
        tie_word_embeddings=True,
    )
    with torch.device("meta"):
        theirs = PerceptionLMForConditionalGeneration(config)
    theirs.tie_weights()
    by_part = {
        "vision_encoder": theirs.model.vision_tower,
        "projector": theirs.model.multi_modal_projector,
        "decoder": theirs.model.language_model,
    }
    ours = {row.path: row.parameters for row in check("plm-1b").rows}
    for path, module in by_part.items():
        assert ours[path] == sum(p.numel() for p in module.parameters()), path


SMALL_MACHINE = """
import json, time
from pathlib import Path
start = time.process_time()
import plm_components as plm
report = plm.check("plm-8b")
seconds = time.process_time() - start
# not ru_maxrss, which a process inherits from the one that started it
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
mib = int(status["VmHWM"].split()[0]) / 1024
print(json.dumps({"ok": report.ok, "seconds": seconds, "mib": mib}))
"""


def test_the_largest_model_is_checked_on_a_small_machine() -> None:
    run = subprocess.run(
        [sys.executable, "-c", SMALL_MACHINE], capture_output=True, text=True, check=True
    )
    measured = json.loads(run.stdout)
    assert measured["ok"]
    # seconds of processor time: what an idle machine takes
    assert measured["seconds"] < 10
    assert measured["mib"] < 1500


def test_the_report_of_a_small_variant() -> None:
    assert str(check(tiny_spec())).splitlines() == [
        "path                     part                                 provider              "
        "parameters  output",
        "vision_encoder           vision_encoder/timm                  plm-components 0.1.0  "
        "32,224      (T, 16, 32)",
        "projector                projector/avg_pool_mlp               plm-components 0.1.0  "
        "2,112       (T, 4, 32)",
        "projector.pooling        pooling/mean                         plm-components 0.1.0  -",
        "decoder                  decoder/llama                        plm-components 0.1.0  "
        "25,120      (B, L, 300)",
        "decoder.block            decoder_block/prenorm_gqa_swiglu x2  plm-components 0.1.0  "
        "15,488      (B, L, 32)",
        "decoder.block.attention  attention/sdpa x2                    plm-components 0.1.0  "
        "-           (B, 4, L, 8)",
        "tokenizer                tokenizer/words                      plm-components 0.1.0  "
        "-           276 ids",
        "image_tiler              image_tiler/plm_tiles                plm-components 0.1.0  "
        "-           (5 at most, 3, 56, 56)",
        "frame_transform          frame_transform/plm_frames           plm-components 0.1.0  "
        "-           (F, 3, 56, 56)",
        "video_sampler            video_sampler/plm_uniform            plm-components 0.1.0  "
        "-           4 frames at most",
        "video_reader             video_reader/pyav                    plm-components 0.1.0  "
        "-           (F, 3, H, W)",
        "parameters: 59,456",
        "weights: 0.2 MB in float32",
        "tokens: 4 a tile, 20 the largest image, 16 the longest video of 256 positions",
        "The parts fit.",
    ]


def test_a_report_is_true_where_the_parts_fit_and_goes_to_json() -> None:
    report = plm.check(tiny_spec(), dtype="bfloat16")
    assert report
    data = json.loads(json.dumps(report.to_dict()))
    assert data["ok"] is True
    assert data["totals"]["weight_bytes"] == 2 * 59_456
    assert data["totals"]["dtype"] == "bfloat16"
    assert not check(tiny_spec(), ["projector.pool=3"])


# every fault a composition can have: override, the whole text of the one fault, the edit
FAULTS: dict[str, tuple[list[str], str, tuple[str, ...]]] = {
    "a window that does not divide the grid": (
        ["projector.pool=3"],
        "16 tokens cannot be pooled 3x3.\n"
        "  where:    projector (projector/avg_pool_mlp, input of forward (grid 4x4))\n"
        "  expected: grid sides that divide by pool=3\n"
        "  fix:      set projector.pool=2",
        ("projector.pool=2",),
    ),
    "a grid that does not divide": (
        ["vision_encoder.image_size=70"],
        "25 tokens cannot be pooled 2x2.\n"
        "  where:    projector (projector/avg_pool_mlp, input of forward (grid 5x5))\n"
        "  expected: grid sides that divide by pool=2\n"
        "  fix:      set projector.pool=1",
        ("projector.pool=1",),
    ),
    "heads that cannot be shared": (
        ["decoder.block.num_kv_heads=3"],
        "4 query heads of 8 channels cannot share 3 key/value heads.\n"
        "  where:    decoder.block.attention (attention/sdpa)\n"
        "  expected: positive sizes, num_heads a multiple of num_kv_heads\n"
        "  fix:      set decoder.block.num_kv_heads=2",
        ("decoder.block.num_kv_heads=2",),
    ),
    "heads that do not divide the width": (
        ["decoder.dim=33"],
        "33 channels do not divide into 4 heads.\n"
        "  where:    decoder.block.num_heads\n"
        "  expected: a divisor of 33\n"
        "  fix:      set decoder.dim=32",
        ("decoder.dim=32",),
    ),
    "more tiles than positions": (
        ["image_tiler.max_tiles=100"],
        "The largest image takes 404 positions (101 tiles of 4), more than the decoder has room "
        "for.\n"
        "  where:    image_tiler -> decoder\n"
        "  expected: at most 61 tiles: 256 positions less 12 for words\n"
        "  fix:      set image_tiler.max_tiles=60",
        ("image_tiler.max_tiles=60",),
    ),
    "more frames than positions": (
        ["video_sampler.max_frames=100"],
        "The longest video takes 400 positions (100 frames of 4), more than the decoder has room "
        "for.\n"
        "  where:    video_sampler -> decoder\n"
        "  expected: at most 61 frames: 256 positions less 12 for words\n"
        "  fix:      set video_sampler.max_frames=61",
        ("video_sampler.max_frames=61",),
    ),
    "not even one tile": (
        ["decoder.max_positions=8"],
        "One tile takes 4 positions, more than the decoder has room for.\n"
        "  where:    projector -> decoder\n"
        "  expected: at most 0 tokens a tile: 8 positions less 12 for words\n"
        "  fix:      set decoder.max_positions=32",
        ("decoder.max_positions=32",),
    ),
    "ids beyond the table": (
        ["decoder.vocab_size=200"],
        "The decoder's table has 200 rows, too few for the tokenizer's vocab_size 276.\n"
        "  where:    tokenizer -> decoder.vocab_size\n"
        "  expected: at least 276 rows\n"
        "  fix:      set decoder.vocab_size=276",
        ("decoder.vocab_size=276",),
    ),
    "frames that nobody reads": (
        ["video_reader=null"],
        "video_sampler and frame_transform without video_reader: no video can be read.\n"
        "  where:    video_reader\n"
        "  expected: all of video_sampler, video_reader, frame_transform, or none of them\n"
        "  fix:      set video_reader=pyav",
        ("video_reader=pyav",),
    ),
    "one part of three for videos": (
        ["video_reader=null", "video_sampler=null"],
        "frame_transform without video_sampler and video_reader: no video can be read.\n"
        "  where:    video_sampler, video_reader\n"
        "  expected: all of video_sampler, video_reader, frame_transform, or none of them\n"
        "  fix:      set frame_transform=null",
        ("frame_transform=null",),
    ),
    "attention that cannot generate": (
        ["decoder.block.attention=training_only"],
        "attention/training_only cannot do a CausalCached mask, grouped queries, head_dim 8.\n"
        "  where:    decoder.block.attention\n"
        "  expected: masks: Causal, Documents; as many key/value heads as query heads; "
        "head_dim: 128, 64\n"
        "  fix:      set decoder.block.attention=auto",
        ("decoder.block.attention=auto",),
    ),
    "a constructor that fails": (
        ["projector=failing"],
        "projector/failing cannot be built: ValueError: depth 2 is too deep\n"
        "  where:    projector\n"
        "  expected: options the part can be built with\n"
        "  fix:      set projector.depth=1",
        ("projector.depth=1",),
    ),
    "a shape that breaks the promise": (
        ["projector=narrow"],
        "projector/narrow gives (2, 8, 31).\n"
        "  where:    projector, output of forward\n"
        "  expected: (2, 16, 32), since a projector promises (B, num_tokens, out_dim)\n"
        "  fix:      report it to plm-fakes",
        (),
    ),
    "a grid that is not the tokens": (
        ["projector=lying_grid"],
        "projector/lying_grid says 16 tokens and a 5x4 grid.\n"
        "  where:    projector, out_grid\n"
        "  expected: a grid of as many cells as tokens, or None\n"
        "  fix:      report it to plm-fakes",
        (),
    ),
    "a forward that fails on shapes": (
        ["projector=crashing"],
        "projector/crashing fails on the meta device: RuntimeError: shape '[7, 11, 13]' is "
        "invalid for input of size 1024\n"
        "  where:    projector\n"
        "  expected: a part that runs on shapes alone\n"
        "  fix:      change its options, or report it to plm-fakes",
        (),
    ),
    "a part that lacks what its kind promises": (
        ["projector=half"],
        "projector/half lacks init_buffers, init_weights, out_grid.\n"
        "  where:    projector (HalfProjector)\n"
        "  expected: everything a projector promises\n"
        "  fix:      add what is missing; Projector in plm_components.contracts says what it must "
        "do",
        (),
    ),
    "nested attention nobody can wire": (
        ["projector=headless"],
        "projector.attention is wired from num_heads, which projector does not have.\n"
        "  where:    projector.attention\n"
        "  expected: an option num_heads of the part that holds it\n"
        "  fix:      add num_heads to that part's constructor, or take the nested part out of it",
        (),
    ),
    "tiles of another size": (
        ["image_tiler=wrong_size"],
        "image_tiler/wrong_size gives tiles of 57.\n"
        "  where:    image_tiler\n"
        "  expected: tiles of 56, the encoder's image_size\n"
        "  fix:      report it to plm-fakes: it was wired with that size",
        (),
    ),
    "weights of a kind no one knows": (
        ["weights=runs/a"],
        "'runs/a' names no weights.\n"
        "  where:    weights\n"
        "  expected: package:<name> (weights inside this package), plm:<directory> (saved by "
        "Variant.save), hf:<directory or hub id> or original:<directory> (a PerceptionLM as "
        "published)\n"
        "  fix:      say the kind first: plm:, hf: or original: before a directory, package: "
        "before a name",
        (),
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_told_with_an_edit_that_was_tried(fault: str, fakes: Zoo) -> None:
    overrides, text, edits = FAULTS[fault]
    report = check(tiny_spec(), overrides, zoo=fakes)
    assert faults_of(report) == [text]
    assert report.edits == edits
    if edits:
        assert check(tiny_spec(), [*overrides, *edits], zoo=fakes).ok


def test_all_faults_at_once_and_edits_that_mend_them_together(fakes: Zoo) -> None:
    overrides = [
        "projector.pool=3",
        "decoder.block.attention=training_only",
        "decoder.vocab_size=200",
        "video_reader=null",
    ]
    report = check(tiny_spec(), overrides, zoo=fakes)
    assert len(report.faults) == 4
    assert report.edits == (
        "projector.pool=2",
        "decoder.block.attention=auto",
        "decoder.vocab_size=276",
        "video_reader=pyav",
    )
    assert check(tiny_spec(), [*overrides, *report.edits], zoo=fakes).ok
    assert f"This mends it: {' '.join(report.edits)}" in str(report)


def test_faults_of_the_spec_are_a_report_too() -> None:
    report = check(tiny_spec(), ["projector.in_dim=3", "decoder.blok=1"])
    assert [fault.where for fault in report.faults] == ["projector.in_dim", "decoder.blok"]
    assert str(report).splitlines()[0] == "1. in_dim is derived from vision_encoder."
    assert str(report).splitlines()[-1] == "The parts do not fit."


def test_a_part_that_cannot_be_built_leaves_its_neighbours_unverified() -> None:
    report = check(tiny_spec(), ["decoder.num_layers=0"])
    assert report.notes == ("not verified: projector, since decoder could not be built",)
    assert report.edits == ("decoder.num_layers=1",)


def test_layers_of_a_transformers_decoder_run_on_meta() -> None:
    config = {
        "model_type": "qwen3", "vocab_size": 300, "hidden_size": 32, "num_hidden_layers": 1,
        "intermediate_size": 48, "num_attention_heads": 4, "num_key_value_heads": 2,
        "head_dim": 8, "max_position_embeddings": 256,
    }  # fmt: skip
    report = check(tiny_spec(decoder={"type": "hf", "config": config}))
    assert faults_of(report) == []
    assert report.rows[3].output == "(B, L, 300)"
    assert report.notes == ()


@pytest.mark.parametrize("name", shipped_specs())
def test_the_layers_of_every_shipped_spec_are_verified(name: str) -> None:
    report = check(name)
    assert report.ok
    assert [note for note in report.notes if "layers" in note] == []


def test_tokenizer_files_that_are_absent_are_not_a_fault(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    report = check(tiny_spec(tokenizer={"type": "hf", "path": "no-one/has-this"}))
    assert report.ok
    assert report.notes == (
        "not verified: token ids and the conversation template, since the files of tokenizer/hf "
        "are not on this machine",
    )


def test_dtype_and_device_are_asked_of_the_kernels(fakes: Zoo) -> None:
    overrides = ["decoder.block.attention=training_only", "decoder.block.num_kv_heads=4"]
    report = check(tiny_spec(), overrides, zoo=fakes, dtype="bfloat16", device="cuda")
    assert "torch.bfloat16, device cuda" in report.faults[0].what


def test_the_zoo_that_is_given_is_not_touched(tmp_path: Any, fakes: Zoo) -> None:
    part = tmp_path / "my_part.py"
    part.write_text(
        "from plm_components.projectors.linear import LinearProjector\n"
        "from plm_components.zoo import Component\n"
        "class Mine(LinearProjector): ...\n"
        "def plm_register_components():\n"
        "    yield Component('projector', 'mine', 'my_part:Mine')\n"
    )
    report = check(tiny_spec(), ["projector=mine"], zoo=fakes, plugins=[part])
    assert faults_of(report) == []
    assert f"{part} (unpublished, sha256" in str(report)
    assert "mine" not in [entry.name for entry in fakes.entries("projector")]


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda: check("no-such-spec"), SpecError),
        (lambda: check(tiny_spec(), ["no override"]), SpecError),
        (lambda: check(tiny_spec(), plugins=["nowhere.py"]), PluginError),
        (lambda: check(tiny_spec(), dtype="float31"), UsageError),
    ],
)
def test_what_cannot_be_looked_at_raises(call: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        call()


def test_weights_of_a_part_that_are_none_do_not_pass_as_fitting() -> None:
    entries = ["projector.weights=nonsense", "decoder.block.weights=plm:runs/a"]
    report = check(tiny_spec(), entries)
    assert not report.ok
    assert [str(fault) for fault in report.faults] == [
        "'nonsense' names no weights.\n"
        "  where:    projector.weights\n"
        "  expected: hf:<directory or hub id> (transformers), timm:<directory, hub id or "
        ".safetensors file>, plm:<directory> (a saved variant, or a PerceptionLM) or "
        "package:<name>\n"
        "  fix:      say the kind first: hf: before a transformers directory, timm: before a timm "
        "file",
        "decoder.block takes no weights of its own.\n"
        "  where:    decoder.block.weights: plm:runs/a\n"
        "  expected: weights of a whole slot: vision_encoder, projector, decoder\n"
        "  fix:      delete decoder.block.weights",
    ]


def test_weights_of_a_part_pass_unread() -> None:
    assert check(tiny_spec(), ["projector.weights=plm:runs/nowhere"]).ok
