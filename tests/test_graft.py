"""Weights of single parts: outputs against the libraries that wrote the files, and receipts."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

import graft_files as files
import plm_components as plm
from plm_components.errors import UsageError
from small_specs import tiny_spec

RED = Image.new("RGB", (60, 60), (200, 20, 20))
PIXELS = torch.randn(2, 3, 56, 56, generator=torch.Generator().manual_seed(1))
IDS = torch.randint(1, 290, (2, 40), generator=torch.Generator().manual_seed(2))
PE_NATIVE = {
    "type": "pe", "dim": 32, "num_layers": 2, "num_heads": 2, "ffn_dim": 128, "image_size": 56,
}  # fmt: skip
PE_TIMM = {
    "type": "timm",
    "model": files.PE_MODEL,
    "image_size": 56,
    "model_args": {"embed_dim": 32, "depth": 2, "num_heads": 2},
}


def tower(model_type: str, **more: Any) -> dict[str, Any]:
    config = {"model_type": model_type, **files.VISION, **more}
    if model_type == "dinov2":
        del config["intermediate_size"]
    return {"type": "hf", "config": config}


def native(*, tied: bool = True, **more: Any) -> dict[str, Any]:
    decoder: dict[str, Any] = dict(tiny_spec()["decoder"])
    return {**decoder, "tie_embeddings": tied, **more}


STRETCHED = {
    "rope_scale_factor": 8.0, "rope_low_freq_factor": 1.0, "rope_high_freq_factor": 4.0,
    "rope_original_positions": 64,
}  # fmt: skip
QWEN3 = {
    "type": "hf",
    "config": {
        **files.LLAMA,
        "model_type": "qwen3",
        "head_dim": 8,
        "tie_word_embeddings": True,
        "rope_parameters": files.PLAIN_ROPE,
    },
}


def assemble(**slots: Any) -> plm.Variant:
    return plm.assemble(tiny_spec(**slots), init="random")


def encoded(slot: dict[str, Any], weights: str) -> torch.Tensor:
    variant = assemble(vision_encoder={**slot, "weights": weights})
    assert variant.receipt.fresh_parts == ("projector", "decoder")
    with torch.no_grad():
        tokens: torch.Tensor = variant.model.vision_encoder(PIXELS)
    return tokens


def logits(slot: dict[str, Any], weights: str) -> torch.Tensor:
    variant = assemble(decoder={**slot, "weights": weights})
    assert variant.receipt.fresh_parts == ("vision_encoder", "projector")
    with torch.no_grad():
        found: torch.Tensor = variant.model(IDS)
    return found


def assert_equal_logits(found: torch.Tensor, oracle: Any) -> None:
    with torch.no_grad():
        expected = oracle(IDS).logits
    assert (found - expected).abs().max() <= 2e-5 * expected.abs().max()


def hidden(model: Any, *, prefix: int) -> torch.Tensor:
    with torch.no_grad():
        tokens: torch.Tensor = model(PIXELS).last_hidden_state[:, prefix:]
    return tokens


@pytest.mark.parametrize("make", [files.siglip, files.old_siglip])
def test_a_siglip_tower_out_of_two_towers_and_out_of_an_older_file(
    tmp_path: Path, make: Callable[[Path], Any]
) -> None:
    model = make(tmp_path)
    found = encoded(tower("siglip_vision_model"), f"hf:{tmp_path}")
    assert torch.equal(found, hidden(model, prefix=0))


def test_a_siglip_tower_of_its_own(tmp_path: Path) -> None:
    model = files.siglip(tmp_path, whole=False)
    found = encoded(tower("siglip_vision_model"), f"hf:{tmp_path}")
    assert torch.equal(found, hidden(model, prefix=0))


def test_a_tapped_tower_leaves_the_layers_behind_the_tap(tmp_path: Path) -> None:
    model = files.siglip(tmp_path)
    slot = {**tower("siglip_vision_model"), "layer": 0}
    with torch.no_grad():
        inner = model(PIXELS, output_hidden_states=True).hidden_states[1]
    assert torch.equal(encoded(slot, f"hf:{tmp_path}"), inner)


def test_a_clip_tower(tmp_path: Path) -> None:
    model = files.clip(tmp_path)
    found = encoded(tower("clip_vision_model"), f"hf:{tmp_path}")
    assert torch.equal(found, hidden(model, prefix=1))


@pytest.mark.parametrize("options", [{}, {"classifier": True}, {"shard": "10KB"}])
def test_a_dinov2_alone_with_a_classifier_and_in_shards(
    tmp_path: Path, options: dict[str, Any]
) -> None:
    model = files.dinov2(tmp_path, **options)
    assert len(list(tmp_path.glob("*.safetensors"))) > 1 or "shard" not in options
    assert torch.equal(encoded(tower("dinov2"), f"hf:{tmp_path}"), hidden(model, prefix=1))


def test_a_tensor_without_effect_may_be_absent_and_the_receipt_says_so(tmp_path: Path) -> None:
    model = files.dinov2(tmp_path)
    file = tmp_path / "model.safetensors"
    tensors = load_file(file)
    del tensors["embeddings.mask_token"]
    save_file(tensors, file)
    slot = {**tower("dinov2"), "weights": f"hf:{tmp_path}"}
    variant = assemble(vision_encoder=slot)
    with torch.no_grad():
        assert torch.equal(variant.model.vision_encoder(PIXELS), hidden(model, prefix=1))
    assert str(variant.receipt).splitlines()[1] == (
        f"vision_encoder: 1 tensors, 32 elements, zero: not in hf:{tmp_path}, and no output "
        "depends on them"
    )


@pytest.mark.parametrize("slot", [PE_NATIVE, PE_TIMM])
@pytest.mark.parametrize("whole", [True, False])
def test_a_perception_encoder_of_timm_as_directory_and_as_bare_file(
    tmp_path: Path, slot: dict[str, Any], whole: bool
) -> None:
    if whole:
        model, place = files.timm_directory(tmp_path, files.PE_MODEL, files.PE), tmp_path
    else:
        place = tmp_path / "any name.safetensors"
        model = files.timm_file(place, files.PE_MODEL, files.PE)
    with torch.no_grad():
        expected = model.forward_features(PIXELS)[:, 1:]  # type: ignore[operator]
    assert torch.equal(encoded(slot, f"timm:{place}"), expected)


@pytest.mark.parametrize("as_file", [True, False])
def test_a_convnet_of_timm_keeps_its_running_means_and_leaves_its_head(
    tmp_path: Path, as_file: bool
) -> None:
    slot = {"type": "timm", "model": "resnet10t", "image_size": 56, "layer": -2}
    if as_file:
        place = tmp_path / "resnet.safetensors"
        model = files.timm_file(place, "resnet10t", {"num_classes": 5})
    else:
        place = tmp_path
        model = files.timm_directory(place, "resnet10t", {})
    with torch.no_grad():
        maps = model.forward_intermediates(PIXELS, intermediates_only=True)  # type: ignore[operator]
    assert torch.equal(encoded(slot, f"timm:{place}"), maps[-2].flatten(2).mT)


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("old_keys", [True, False])
def test_a_llama_in_the_native_decoder(tmp_path: Path, tied: bool, old_keys: bool) -> None:
    model = files.llama(tmp_path, tied=tied, rope=files.LLAMA3_ROPE)
    if old_keys:
        files.with_old_rope_keys(tmp_path)
    found = logits(native(tied=tied, **STRETCHED), f"hf:{tmp_path}")
    assert_equal_logits(found, model)


def test_a_llama_in_shards(tmp_path: Path) -> None:
    model = files.llama(tmp_path, tied=False, rope=files.PLAIN_ROPE, shard="20KB")
    assert len(list(tmp_path.glob("*.safetensors"))) > 2
    assert_equal_logits(logits(native(tied=False), f"hf:{tmp_path}"), model)


def test_a_qwen3_in_the_decoder_of_transformers(tmp_path: Path) -> None:
    model = files.qwen3(tmp_path)
    assert_equal_logits(logits(QWEN3, f"hf:{tmp_path}"), model)


@pytest.mark.parametrize("kind", ["hf", "plm"])
@pytest.mark.parametrize("encoder", [PE_NATIVE, PE_TIMM])
def test_the_parts_of_a_perception_lm(tmp_path: Path, kind: str, encoder: dict[str, Any]) -> None:
    model = files.perception_lm(tmp_path)
    weights = {"weights": f"{kind}:{tmp_path}"}
    spec = tiny_spec(
        vision_encoder={**encoder, **weights},
        projector={"type": "avg_pool_mlp", "order": "pool_last", **weights},
        decoder={**native(), **weights},
    )
    variant = plm.assemble(spec)
    assert variant.receipt.fresh_parts == ()
    assert variant.receipt.num_tensors == len(model.state_dict()) - 1  # its head is tied
    ours = variant.model
    with torch.no_grad():
        features = ours.projector(ours.vision_encoder(PIXELS), ours.vision_encoder.grid(56, 56))
        theirs = model.model.get_image_features(PIXELS[:, None]).pooler_output
    theirs = torch.as_tensor(theirs) if not isinstance(theirs, list) else torch.stack(theirs)
    torch.testing.assert_close(features, theirs.view_as(features), rtol=0, atol=2e-6)
    assert_equal_logits(ours(IDS), model)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    variant = plm.assemble(tiny_spec(), init="random", seed=3)
    return variant.save(tmp_path_factory.mktemp("trained") / "one", trained_by="make one")


class TestOfOurOwn:
    def test_one_part_of_a_saved_variant(self, trained: Path) -> None:
        variant = assemble(projector={"type": "avg_pool_mlp", "weights": f"plm:{trained}"})
        expected = load_file(trained / "model.safetensors")
        found = variant.model.projector.state_dict()
        assert found.keys() == {"linear_1.weight", "linear_1.bias", "linear_2.weight",
                                "linear_2.bias"}  # fmt: skip
        assert all(torch.equal(t, expected[f"projector.{name}"]) for name, t in found.items())
        line = variant.receipt.lines[1]
        assert (line.origin, line.fresh, line.via) == ("make one", False, f"plm:{trained}")
        lock = json.loads((trained / "plm.lock").read_text())
        assert line.sha256 == lock["weights"]["sha256"]

    def test_a_part_in_place_of_that_of_a_whole_variant(
        self, trained: Path, tmp_path: Path
    ) -> None:
        other = plm.assemble(tiny_spec(), init="random", seed=4).save(tmp_path / "other")
        spec = tiny_spec(
            weights=f"plm:{trained}", projector={"type": "avg_pool_mlp", "weights": f"plm:{other}"}
        )
        variant = plm.assemble(spec)
        for name, tensor in variant.model.state_dict().items():
            home = other if name.startswith("projector.") else trained
            assert torch.equal(tensor, load_file(home / "model.safetensors")[name]), name
        assert variant.receipt.fresh_parts == ("projector",)

    def test_the_packaged_weights(self) -> None:
        overrides = ["weights=null", "vision_encoder.weights=package:plm-tiny"]
        variant = plm.assemble("plm-tiny", overrides=overrides, init="random")
        whole = plm.assemble("plm-tiny").model.vision_encoder.state_dict()
        found = variant.model.vision_encoder.state_dict()
        assert all(torch.equal(found[name], tensor) for name, tensor in whole.items())
        assert variant.receipt.fresh_parts == ("projector", "decoder")

    def test_a_saved_part_of_another_type(self, trained: Path) -> None:
        slot = {"type": "linear", "weights": f"plm:{trained}"}
        with pytest.raises(plm.PlmError) as caught:
            assemble(projector=slot)
        assert str(caught.value) == (
            "The projector saved there is projector/avg_pool_mlp, not projector/linear.\n"
            f"  where:    projector.weights: plm:{trained} (projector)\n"
            "  expected: weights of projector/linear\n"
            "  fix:      set projector=avg_pool_mlp, or name other weights"
        )

    def test_other_options_are_told(self, trained: Path) -> None:
        slot = {"type": "avg_pool_mlp", "pool": 4, "weights": f"plm:{trained}"}
        assert assemble(projector=slot).differences == ("projector.pool was 2, is 4",)


class TestMemory:
    @pytest.mark.skipif(sys.platform != "linux", reason="/proc/self/maps names the mapped files")
    def test_parameters_on_the_cpu_are_views_of_the_files(self, tmp_path: Path) -> None:
        files.siglip(tmp_path / "siglip")
        files.llama(tmp_path / "llama", tied=False, rope=files.PLAIN_ROPE, shard="20KB")
        slot = {**tower("siglip_vision_model"), "weights": f"hf:{tmp_path / 'siglip'}"}
        decoder = {**native(tied=False), "weights": f"hf:{tmp_path / 'llama'}"}
        model = assemble(vision_encoder=slot, decoder=decoder).model
        mapped = _mapped_files(str(tmp_path))
        homes = {
            name: _home(parameter.data_ptr(), mapped)
            for name, parameter in model.named_parameters()
            if not name.startswith("projector.")
        }
        assert [name for name, home in homes.items() if home is None] == []
        assert len({*homes.values()}) > 3

    def test_another_dtype_is_converted_and_the_buffers_are_not(self, tmp_path: Path) -> None:
        model = files.llama(tmp_path, tied=True, rope=files.LLAMA3_ROPE)
        slot = {**native(**STRETCHED), "weights": f"hf:{tmp_path}"}
        variant = plm.assemble(tiny_spec(decoder=slot), init="random", dtype="bfloat16")
        expected = model.model.layers[0].mlp.up_proj.weight.to(torch.bfloat16)
        assert torch.equal(variant.model.decoder.layers[0].up_proj.weight, expected)
        frequencies = variant.model.decoder.rotary.inv_freq
        assert frequencies.dtype == torch.float32
        assert torch.equal(frequencies, model.model.rotary_emb.inv_freq)

    def test_weights_that_are_not_finite(self, tmp_path: Path) -> None:
        files.llama(tmp_path, tied=True, rope=files.PLAIN_ROPE)
        file = tmp_path / "model.safetensors"
        tensors = load_file(file)
        tensors["model.norm.weight"][3] = float("nan")
        save_file(tensors, file)
        with pytest.raises(plm.PlmError) as caught:
            logits(native(), f"hf:{tmp_path}")
        assert caught.value.what == "1 tensors hold NaN or infinity: decoder.norm.weight."


def _mapped_files(below: str) -> list[tuple[int, int, str]]:
    found = []
    for line in Path("/proc/self/maps").read_text().splitlines():
        fields = line.split(maxsplit=5)
        if len(fields) == 6 and fields[5].startswith(below):
            first, last = (int(address, 16) for address in fields[0].split("-"))
            found.append((first, last, fields[5]))
    return found


def _home(address: int, mapped: list[tuple[int, int, str]]) -> str | None:
    return next((path for first, last, path in mapped if first <= address < last), None)


PLUGIN = """
import torch
from plm_components.contracts import Reading, refusal
from plm_components.projectors.linear import LinearProjector
from plm_components.zoo import Component

class Toy(LinearProjector):
    def reading(self, header):
        if header.model_type != "toy_joint":
            raise refusal(f"This is {header}, no toy.", expected="a toy_joint", fix="find a toy")
        if "typo" in header.config:
            return Reading("the joint", {"nothing": "w"})
        names = {"linear.weight": "joint.w", "linear.bias": "joint.b"}
        return Reading("the joint of a toy", names, passed_over=["joint.unused"])

def plm_register_components():
    yield Component("projector", "toy", "toy:Toy")
"""


class TestAPluginsPart:
    def toy(self, folder: Path, config: dict[str, Any], **more: torch.Tensor) -> str:
        weight, bias = torch.randn(32, 32), torch.randn(32)
        save_file({"joint.w": weight, "joint.b": bias, **more}, folder / "model.safetensors")
        (folder / "config.json").write_text(json.dumps(config))
        (folder / "toy.py").write_text(PLUGIN)
        return f"hf:{folder}"

    def assemble(self, folder: Path, weights: str) -> plm.Variant:
        spec = tiny_spec(projector={"type": "toy", "weights": weights})
        return plm.assemble(spec, init="random", plugins=[folder / "toy.py"])

    def test_it_reads_its_authors_files(self, tmp_path: Path) -> None:
        unused = {"joint.unused": torch.ones(3)}
        weights = self.toy(tmp_path, {"model_type": "toy_joint"}, **unused)
        variant = self.assemble(tmp_path, weights)
        stored = load_file(tmp_path / "model.safetensors")
        assert torch.equal(variant.model.projector.linear.weight, stored["joint.w"])
        line = variant.receipt.lines[1]
        assert (line.tensors, line.passed_over, line.fresh) == (2, 1, False)
        assert line.origin == f"the joint of a toy ({weights})"

    def test_it_refuses_in_its_own_words(self, tmp_path: Path) -> None:
        weights = self.toy(tmp_path, {"model_type": "llama", "architectures": ["Llama"]})
        with pytest.raises(plm.PlmError) as caught:
            self.assemble(tmp_path, weights)
        assert str(caught.value) == (
            "This is a llama checkpoint (Llama), no toy.\n"
            f"  where:    projector.weights: {weights}\n"
            "  expected: a toy_joint\n"
            "  fix:      find a toy"
        )

    def test_a_name_it_does_not_know_is_a_fault(self, tmp_path: Path) -> None:
        weights = self.toy(tmp_path, {"model_type": "toy_joint"}, other=torch.ones(2))
        with pytest.raises(plm.PlmError) as caught:
            self.assemble(tmp_path, weights)
        assert str(caught.value) == (
            "The weights do not fit the spec (tensors missing: 0, unexpected: 1, of another shape: "
            "0).\n"
            f"  where:    projector.weights: {weights} ({tmp_path / 'model.safetensors'})\n"
            "  expected: 2 tensors; without other\n"
            "  fix:      give projector in the spec the sizes of the checkpoint, or name other "
            "weights"
        )

    def test_a_map_of_other_tensors_is_the_parts_fault(self, tmp_path: Path) -> None:
        weights = self.toy(tmp_path, {"model_type": "toy_joint", "typo": 1})
        with pytest.raises(plm.PlmError) as caught:
            self.assemble(tmp_path, weights)
        assert str(caught.value) == (
            "The map of projector/toy does not name its tensors: linear.bias, linear.weight, "
            "nothing.\n"
            f"  where:    projector.weights: {weights}\n"
            "  expected: reading() that names every tensor of the part, and no other\n"
            "  fix:      correct reading() of the part"
        )


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("llama")
    files.llama(path, tied=True, rope=files.PLAIN_ROPE)
    return path


@pytest.fixture(scope="module")
def siglip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("siglip")
    files.siglip(path)
    return path


@pytest.fixture(scope="module")
def spec(llama: Path, siglip: Path) -> dict[str, Any]:
    return tiny_spec(
        vision_encoder={**tower("siglip_vision_model"), "weights": f"hf:{siglip}"},
        decoder={**native(), "weights": f"hf:{llama}"},
    )


@pytest.fixture(scope="module")
def saved(spec: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("grafted") / "one"
    plm.graft(spec, path, init="random", seed=5)
    return path


class TestTheVariant:
    def test_the_lock_says_where_each_tensor_came_from(
        self, saved: Path, llama: Path, siglip: Path
    ) -> None:
        lock = json.loads((saved / "plm.lock").read_text())
        digests = [_sha256(path / "model.safetensors") for path in (siglip, llama)]
        origins = lock["weights"]["origins"]
        keys = ("part", "origin", "fresh", "sha256")
        assert [tuple(line[key] for key in keys) for line in origins] == [
            (
                "vision_encoder",
                f"the vision tower of a siglip checkpoint (SiglipModel) (hf:{siglip})",
                False,
                digests[0],
            ),
            ("projector", "random, seed 5", True, None),
            ("decoder", f"a llama checkpoint (LlamaForCausalLM) (hf:{llama})", False, digests[1]),
        ]  # fmt: skip
        tensors = load_file(saved / "model.safetensors")
        assert sum(line["tensors"] for line in origins) == len(tensors)
        own = {part["path"]: part["weights"] for part in lock["parts"] if part["weights"]}
        assert own == {"vision_encoder": f"hf:{siglip}", "decoder": f"hf:{llama}"}

    def test_it_loads_without_the_checkpoints(self, saved: Path, spec: dict[str, Any]) -> None:
        assert "hf:" not in (saved / "plm.yaml").read_text()
        again, once = plm.load(saved).model, plm.assemble(spec, init="random", seed=5).model
        stored = once.state_dict()
        assert again.state_dict().keys() == stored.keys()
        assert all(torch.equal(t, stored[name]) for name, t in again.state_dict().items())

    def test_words_need_the_decoder_only(self, saved: Path) -> None:
        assert isinstance(plm.load(saved).ask("what?", max_new_tokens=2), str)

    def test_a_picture_needs_a_trained_projector(self, saved: Path, spec: dict[str, Any]) -> None:
        for variant in (plm.assemble(spec, init="random", seed=5), plm.load(saved)):
            with pytest.raises(UsageError) as caught:
                variant.ask("what?", image=RED)
            assert str(caught.value) == (
                "The projector was never trained: the answer would be noise.\n"
                "  where:    projector (random, seed 5)\n"
                "  expected: trained weights in every part that media pass\n"
                "  fix:      train it and save it with trained_by=..., which says so, or name its "
                "weights in the spec; to ask all the same, say "
                "allow_untrained=True (plm ask --allow-untrained)"
            )
            said = variant.ask("what?", image=RED, max_new_tokens=2, allow_untrained=True)
            assert isinstance(said, str)

    def test_words_are_refused_where_the_decoder_is_fresh(self, siglip: Path) -> None:
        slot = {**tower("siglip_vision_model"), "weights": f"hf:{siglip}"}
        variant = assemble(vision_encoder=slot)
        with pytest.raises(UsageError, match="The decoder was never trained"):
            variant.ask("what?")
        with pytest.raises(UsageError, match="The projector and decoder were never trained"):
            variant.chat([{"role": "user", "content": [{"type": "image", "image": RED}]}])

    def test_training_a_frozen_parts_neighbour_keeps_its_origin(
        self, spec: dict[str, Any], tmp_path: Path
    ) -> None:
        overrides = ["vision_encoder.trainable=false", "decoder.trainable=false"]
        variant = plm.assemble(spec, overrides=overrides, init="random")
        variant.save(tmp_path / "trained", trained_by="one epoch")
        origins = [line.origin for line in plm.load(tmp_path / "trained").receipt.lines]
        assert origins[1] == "one epoch"
        assert origins[0].startswith("the vision tower of a siglip checkpoint")
        assert origins[2].startswith("a llama checkpoint")
        assert variant.receipt.fresh_parts == ()
        for trained in (variant, plm.load(tmp_path / "trained")):
            assert isinstance(trained.ask("what?", image=RED, max_new_tokens=2), str)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
