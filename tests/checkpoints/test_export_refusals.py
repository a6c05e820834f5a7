"""What PerceptionLM's formats cannot say is refused with every reason, before a file is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import plm_components as plm
from plm_components.checkpoints.inexpressible import inexpressible
from plm_components.checkpoints.plm_facts import plm_facts
from plm_components.errors import ExportError, UsageError
from plm_components.spec import resolve, signature_of
from plm_components.zoo import Zoo
from plm_exports import SPECIALS, plm_spec, publish_tokenizer

WORDS = {"type": "words", "words": ["red"], "system_prompt": ""}
KEEP = "variant.save(directory) keeps it in our own format"


def small(**slots: Any) -> plm.Variant:
    return plm.assemble(plm_spec(WORDS, **slots), init="random")


def whats(spec: dict[str, Any], format: Any) -> list[str]:
    return [fault.what for fault in inexpressible(resolve(spec, Zoo.discover()), format)]


def test_other_parts_are_told_all_at_once(tmp_path: Path) -> None:
    spec = plm_spec(WORDS)
    spec["vision_encoder"] = {
        "type": "timm", "model": "vit_pe_lang_large_patch14_448", "image_size": 56,
        "model_args": {"embed_dim": 32, "depth": 1, "num_heads": 2},
    }  # fmt: skip
    spec["projector"] = {"type": "linear"}
    spec["image_tiler"], spec["decoder"]["max_positions"] = "single", 1024
    variant = plm.assemble(spec, init="random")
    with pytest.raises(ExportError) as caught:
        variant.export(tmp_path / "out")
    assert str(caught.value) == (
        "2 things of this composition cannot be said in transformers' PerceptionLM format.\n"
        "  1. vision_encoder/timm does not exist in transformers' PerceptionLM format.\n"
        "    where:    vision_encoder\n"
        "    expected: vision_encoder/pe\n"
        f"    fix:      {KEEP}; or train a variant with vision_encoder.type=pe\n"
        "  2. projector/linear does not exist in transformers' PerceptionLM format.\n"
        "    where:    projector\n"
        "    expected: projector/avg_pool_mlp\n"
        f"    fix:      {KEEP}; or train a variant with projector.type=avg_pool_mlp"
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("slots", "hf", "original"),
    [
        (
            {"vision_encoder": {"norm_eps": 1e-6}},
            "vision_encoder.norm_eps is 1e-06, and the format has no key for it.",
            "vision_encoder.norm_eps is 1e-06, and the format has no key for it.",
        ),
        (
            {"decoder": {"norm_eps": 1e-6}},
            "The decoder's norms add 1e-06 at its end and 1e-05 in its blocks.",
            "The decoder's norms add 1e-06 at its end and 1e-05 in its blocks.",
        ),
        (
            {"decoder": {"block": {"num_heads": 6, "head_dim": 8}}},
            "6 heads do not divide 32 channels.",
            "6 heads of 8 channels are not 32 channels.",
        ),
        (
            {"decoder": {"block": {"head_dim": 16}}},
            None,
            "4 heads of 16 channels are not 32 channels.",
        ),
        (
            {"decoder": {"rope_scale_factor": 2.0, "rope_original_positions": 64}},
            None,
            "decoder.rope_original_positions is 64, and the format has no key for it.",
        ),
        (
            {"vision_encoder": {"off_native": "timm"}},
            None,
            "vision_encoder.off_native is timm, and the format has no key for it.",
        ),
    ],
)
def test_options_without_a_key(slots: dict[str, Any], hf: str | None, original: str | None) -> None:
    spec = plm_spec(WORDS, **slots)
    assert whats(spec, "hf") == ([] if hf is None else [hf])
    assert whats(spec, "original") == ([] if original is None else [original])


def test_an_inert_stretch_is_no_reason() -> None:
    spec = plm_spec(WORDS, decoder={"rope_original_positions": 64})
    assert whats(spec, "original") == []


def test_a_decoder_of_transformers() -> None:
    spec = plm_spec(WORDS)
    spec["decoder"] = {
        "type": "hf",
        "config": {
            "model_type": "llama", "hidden_size": 32, "intermediate_size": 48,
            "num_hidden_layers": 1, "num_attention_heads": 4, "vocab_size": 300,
        },
    }  # fmt: skip
    assert whats(spec, "original") == ["decoder/hf does not exist in PerceptionLM's own format."]


def test_a_part_of_the_same_name_from_elsewhere(tmp_path: Path) -> None:
    part = tmp_path / "my_projector.py"
    part.write_text(
        "from plm_components.projectors.avg_pool_mlp import AvgPoolMLPProjector as Ours\n"
        "from plm_components.zoo import Component, hookimpl\n"
        "class Mine(Ours):\n    pass\n"
        "@hookimpl\n"
        "def plm_register_components():\n"
        "    yield Component('projector', 'avg_pool_mlp', f'{__name__}:Mine', summary='', "
        "contract=1)\n"
    )
    zoo = Zoo.discover()
    entries = zoo.add_file(part)
    spec = plm_spec(WORDS, projector={"type": entries[0].qualified})
    faults = inexpressible(resolve(spec, zoo), "hf")
    assert [fault.where for fault in faults] == ["projector"]


def test_an_image_id_behind_the_table(tmp_path: Path) -> None:
    without = [token for token in SPECIALS if token != "<|image|>"]
    path = publish_tokenizer(tmp_path / "tokenizer", specials=without)
    spec = plm_spec(path, decoder={"vocab_size": 265})
    with pytest.raises(ExportError) as caught:
        plm.assemble(spec, init="random").export(tmp_path / "out")
    assert str(caught.value) == (
        "The id 265, which stands for images, lies outside the decoder's table.\n"
        "  where:    decoder.vocab_size, tokenizer\n"
        "  expected: an id below 265: transformers embeds it before it is overwritten\n"
        "  fix:      name a token of the vocabulary in tokenizer.image_token, or enlarge the table"
    )
    assert not (tmp_path / "out").exists()


class TestDirectories:
    def test_other_things_are_never_replaced(self, tmp_path: Path) -> None:
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "thesis.txt").write_text("mine")
        for overwrite in (False, True):
            with pytest.raises(UsageError) as caught:
                small().export(tmp_path / "out", overwrite=overwrite)
            assert caught.value.what == "The directory holds other things."
        assert [path.name for path in (tmp_path / "out").iterdir()] == ["thesis.txt"]

    def test_a_file_is_never_replaced(self, tmp_path: Path) -> None:
        (tmp_path / "out").write_text("mine")
        with pytest.raises(UsageError) as caught:
            small().export(tmp_path / "out", overwrite=True)
        assert caught.value.what == "A file stands where the variant should go."

    def test_an_export_is_replaced_when_asked(self, tmp_path: Path) -> None:
        variant = small()
        variant.export(tmp_path / "out")
        with pytest.raises(UsageError) as caught:
            variant.export(tmp_path / "out")
        assert str(caught.value) == (
            "A variant is exported here already.\n"
            f"  where:    {tmp_path / 'out'}\n"
            "  expected: a new or empty directory\n"
            "  fix:      export(..., overwrite=True) replaces it, --overwrite on a command line"
        )
        variant.export(tmp_path / "out", format="original", overwrite=True)
        assert not (tmp_path / "out" / "config.json").exists()

    def test_an_export_with_a_file_of_someone_elses_is_not_ours_to_replace(
        self, tmp_path: Path
    ) -> None:
        variant = small()
        variant.export(tmp_path / "out")
        (tmp_path / "out" / "README.md").write_text("mine")
        with pytest.raises(UsageError):
            variant.export(tmp_path / "out", overwrite=True)
        assert (tmp_path / "out" / "README.md").read_text() == "mine"

    def test_a_saved_variant_is_not_an_export(self, tmp_path: Path) -> None:
        variant = small()
        variant.save(tmp_path / "out")
        with pytest.raises(UsageError):
            variant.export(tmp_path / "out", overwrite=True)
        assert plm.load(tmp_path / "out").spec["plm"] == 1

    def test_no_weights(self, tmp_path: Path) -> None:
        variant = plm.assemble(plm_spec(WORDS), init="meta")
        with pytest.raises(UsageError) as caught:
            variant.export(tmp_path / "out")
        assert caught.value.what == (
            "There are no weights to export with: this variant was assembled on meta."
        )


def test_every_option_of_the_parts_is_spoken_for() -> None:
    """An option that is added to one of these parts has to be exported, or refused, here."""
    facts = plm_facts(resolve(plm_spec(WORDS), Zoo.discover()))
    spoken_for = {
        "vision_encoder/pe": (
            facts.encoder,
            "dim num_layers num_heads ffn_dim patch_size image_size class_token layer_scale "
            "drop_path norm_eps off_native layer",
        ),
        # the order of pooling and projecting changes no number
        "projector/avg_pool_mlp": (facts.projector, "pool order"),
        "decoder/llama": (
            facts.decoder,
            "dim num_layers vocab_size max_positions norm_eps rope_theta rope_scale_factor "
            "rope_low_freq_factor rope_high_freq_factor rope_original_positions tie_embeddings",
        ),
        "decoder_block/prenorm_gqa_swiglu": (
            facts.block,
            "num_heads num_kv_heads ffn_dim head_dim norm_eps",
        ),
        # how it is computed changes no number
        "decoder_block/fused_prenorm_gqa_swiglu": (
            {**facts.block, "kernels": "auto"},
            "num_heads num_kv_heads ffn_dim head_dim norm_eps kernels",
        ),
    }
    for address, (options, known) in spoken_for.items():
        kind, name = address.split("/")
        signature = signature_of(Zoo.discover().get(kind, name).load(), kind)
        assert set(signature.options) == set(options) == set(known.split()), address
