"""What leaves as a Hugging Face directory is what transformers loads, without a remainder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import (
    AutoProcessor,
    AutoTokenizer,
    GenerationConfig,
    LlamaConfig,
    PerceptionLMConfig,
    PerceptionLMForConditionalGeneration,
    PerceptionLMProcessor,
)

import plm_components as plm
from plm_components.checkpoints import hf_keys
from plm_components.checkpoints.export_hf import HFExport
from plm_components.checkpoints.plm_facts import plm_facts
from plm_components.errors import TokenizerError
from plm_components.spec import load_spec, resolve
from plm_components.zoo import Zoo
from plm_exports import off_by, plm_spec, publish_tokenizer, random_variant
from published import small_hf

IMAGE_ID, VIDEO_ID = 258, 259
NO_TOKENIZER = TokenizerError("It is not here.", where="tokenizer", expected="", fix="")

COMPOSITIONS = {
    "published": {},
    "no-class-token": {"vision_encoder": {"class_token": False}, "projector": {"pool": 1}},
    "untied": {"decoder": {"tie_embeddings": False, "rope_theta": 10000.0}},
    "scaled": {"decoder": {"rope_scale_factor": 32.0, "rope_original_positions": 64}},
    "first-stage": {"vision_encoder": {"layer_scale": None, "ffn_dim": 77, "dim": 48}},
    "tapped": {"vision_encoder": {"num_layers": 4, "layer": -3, "num_heads": 4}},
    "long-heads": {"decoder": {"norm_eps": 1e-3, "block": {"head_dim": 12, "norm_eps": 1e-3}}},
}


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> str:
    return publish_tokenizer(tmp_path_factory.mktemp("tokenizer"))


@pytest.fixture(scope="module")
def variant(tokenizer: str) -> plm.Variant:
    return plm.assemble(plm_spec(tokenizer), init="random")


@pytest.fixture(scope="module")
def exported(variant: plm.Variant, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return variant.export(tmp_path_factory.mktemp("exported") / "hf").directory


@pytest.fixture(scope="module")
def processor(exported: Path) -> PerceptionLMProcessor:
    return AutoProcessor.from_pretrained(exported)


def picture(width: int, height: int) -> Image.Image:
    """Colours that run from side to side: no two tiles are alike, and none is noise."""
    pixels = np.zeros((height, width, 3), dtype=np.uint8)
    pixels[..., 0] = np.linspace(0, 255, width)
    pixels[..., 1] = np.linspace(255, 0, height)[:, None]
    return Image.fromarray(pixels)


def user(*content: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"role": "user", "content": list(content)}]


def loaded(directory: Path, **options: Any) -> PerceptionLMForConditionalGeneration:
    model, info = PerceptionLMForConditionalGeneration.from_pretrained(
        directory, output_loading_info=True, **options
    )
    left = {key: value for key, value in info.items() if value}
    assert not left
    return model.eval()


@pytest.mark.parametrize("composition", COMPOSITIONS)
def test_transformers_loads_it_whole_and_gives_the_same_logits(
    composition: str, tokenizer: str, tmp_path: Path
) -> None:
    variant = random_variant(plm_spec(tokenizer, **COMPOSITIONS[composition]))
    variant.export(tmp_path / "hf")
    theirs = loaded(tmp_path / "hf")
    generator = torch.Generator().manual_seed(1)
    tiles = torch.rand(3, 3, 56, 56, generator=generator) * 2 - 1
    places = 3 * variant.model.tokens_per_tile()
    ids = torch.randint(0, 256, (1, places + 40), generator=generator)
    ids[:, 5 : 5 + places] = IMAGE_ID
    with torch.no_grad():
        expected = theirs(input_ids=ids, pixel_values=tiles[None]).logits
        assert off_by(variant.model(ids, pixel_values=tiles), expected) < 2e-5
    video = torch.where(ids == IMAGE_ID, VIDEO_ID, ids)
    with torch.no_grad():
        expected = theirs(input_ids=video, pixel_values_videos=tiles[None]).logits
    assert off_by(variant.model(ids, pixel_values=tiles), expected) < 2e-5


def test_half_precision_stays_as_it_is(tokenizer: str, tmp_path: Path) -> None:
    variant = random_variant(plm_spec(tokenizer), dtype="bfloat16")
    variant.export(tmp_path / "hf")
    theirs = loaded(tmp_path / "hf")
    assert theirs.dtype == torch.bfloat16
    ours = variant.model.state_dict()
    names = hf_keys(plm_facts(resolve(variant.spec, Zoo.discover())).sizes)
    read = theirs.state_dict()
    assert all(torch.equal(ours[name], read[names[name]]) for name in names)


def test_weights_in_several_files(tokenizer: str, tmp_path: Path) -> None:
    variant = random_variant(plm_spec(tokenizer))
    tree = resolve(variant.spec, Zoo.discover())
    export = HFExport(tree, variant.processor.tokenizer, "float32")
    export.write(tmp_path, variant.model.state_dict(), max_file_bytes=100_000)
    index = json.loads((tmp_path / "model.safetensors.index.json").read_text())
    assert len(set(index["weight_map"].values())) > 2
    theirs = loaded(tmp_path).state_dict()
    table = variant.model.state_dict()["decoder.embed_tokens.weight"]
    assert torch.equal(theirs["model.language_model.embed_tokens.weight"], table)


class TestFullSizes:
    @pytest.mark.parametrize(
        ("spec", "tensors"), [("plm-1b", 478), ("plm-3b", 586), ("plm-8b", 957)]
    )
    def test_the_configuration_builds_the_same_tensors(self, spec: str, tensors: int) -> None:
        tree = resolve(load_spec(spec), Zoo.discover())
        config = HFExport(tree, NO_TOKENIZER, "bfloat16").config
        with torch.device("meta"):
            theirs = PerceptionLMForConditionalGeneration(PerceptionLMConfig.from_dict(config))
        ours = plm.assemble(spec, init="meta").model.state_dict()
        names = hf_keys(plm_facts(tree).sizes)
        expected = {name: tuple(tensor.shape) for name, tensor in theirs.state_dict().items()}
        if plm_facts(tree).sizes.tied:
            assert expected.pop("lm_head.weight")
        assert {names[name]: tuple(tensor.shape) for name, tensor in ours.items()} == expected
        # the alias of a tied head is one of the original's tensors
        assert len(expected) + plm_facts(tree).sizes.tied == tensors

    def test_the_published_arguments_are_among_ours(self) -> None:
        tree = resolve(load_spec("plm-1b"), Zoo.discover())
        config = HFExport(tree, NO_TOKENIZER, "bfloat16").config
        published = {
            "embed_dim": 1024, "depth": 23, "img_size": [448, 448], "global_pool": "",
            "use_post_transformer_norm": False, "init_values": 0.1, "ref_feat_shape": [32, 32],
        }  # fmt: skip
        vision = config["vision_config"]
        assert vision["architecture"] == "vit_pe_core_large_patch14_336"
        assert published.items() <= vision["model_args"].items()
        text = config["text_config"]
        assert text["rope_parameters"] == {
            "rope_type": "llama3", "rope_theta": 500000.0, "factor": 32.0, "low_freq_factor": 1.0,
            "high_freq_factor": 4.0, "original_max_position_embeddings": 8192,
        }  # fmt: skip
        assert text["eos_token_id"] == [128001, 128009]
        assert (config["image_token_id"], config["video_token_id"]) == (128002, 128003)

    def test_text_and_rope_are_what_transformers_writes_itself(self) -> None:
        config = HFExport(
            resolve(load_spec("plm-1b"), Zoo.discover()), NO_TOKENIZER, "bfloat16"
        ).config
        alone = LlamaConfig.from_dict(config["text_config"])
        written = alone.to_dict()
        assert all(written[key] == value for key, value in config["text_config"].items())
        assert alone.to_diff_dict()["rope_parameters"] == config["text_config"]["rope_parameters"]


class TestProcessor:
    @pytest.mark.parametrize("size", [(56, 56), (100, 60), (40, 200), (500, 90)])
    def test_an_image_becomes_the_ids_and_tiles_that_we_make(
        self,
        size: tuple[int, int],
        variant: plm.Variant,
        processor: PerceptionLMProcessor,
    ) -> None:
        image = {"type": "image", "image": picture(*size)}
        conversation = user(image, {"type": "text", "text": "What moves?"})
        theirs = processor.apply_chat_template(
            conversation,
            tokenize=True,
            add_generation_prompt=True,
            return_dict=True,
            return_tensors="pt",
        )
        ours = variant.processor(conversation)
        assert theirs["input_ids"].tolist() == ours.input_ids_BL.tolist()
        assert ours.pixel_values is not None
        off = (theirs["pixel_values"][0] - ours.pixel_values).abs().max()
        # torchvision resizes there where PIL does here: two grey levels apart at most
        assert theirs["pixel_values"][0].shape == ours.pixel_values.shape
        assert float(off) < 2.5 / 127.5

    def test_a_video_has_its_own_id_and_our_places(
        self, variant: plm.Variant, processor: PerceptionLMProcessor
    ) -> None:
        frames = [picture(64, 48), picture(64, 48).rotate(180)]
        conversation = user({"type": "video", "video": frames}, {"type": "text", "text": "And?"})
        text = processor.apply_chat_template(conversation, add_generation_prompt=True)
        clip = np.stack([np.asarray(frame) for frame in frames])
        theirs = processor(text=text, videos=[clip], return_tensors="pt", add_special_tokens=False)
        places = 2 * variant.model.tokens_per_tile()
        assert theirs["input_ids"].tolist()[0].count(VIDEO_ID) == places
        assert theirs["pixel_values_videos"].shape == (1, 2, 3, 56, 56)

    def test_several_images_are_what_our_layout_hf_makes(
        self, tokenizer: str, processor: PerceptionLMProcessor
    ) -> None:
        spec = plm_spec(tokenizer, image_tiler={"resize": "torchvision"})
        ours = plm.assemble({**spec, "processor": {"layout": "hf"}}, init="random").processor
        images = [{"type": "image", "image": picture(*size)} for size in ((56, 56), (150, 40))]
        text = [{"type": "text", "text": one} for one in ("First ", " and last?")]
        conversation = user(text[0], images[0], images[1], text[1])
        batch = ours(conversation)
        said = processor.apply_chat_template(conversation, add_generation_prompt=True)
        theirs = processor(
            text=said,
            images=[one["image"] for one in images],
            return_tensors=None,
            add_special_tokens=False,
        )
        assert theirs["input_ids"][0] == batch.input_ids_BL[0].tolist()
        tiles = torch.cat([torch.as_tensor(one) for one in theirs["pixel_values"]])
        assert batch.pixel_values is not None
        assert float((tiles - batch.pixel_values).abs().max()) < 1e-6

    def test_turns_and_a_system_prompt_of_ones_own(
        self, variant: plm.Variant, processor: PerceptionLMProcessor
    ) -> None:
        chat = [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "What's up?"}]},
            {"role": "assistant", "content": "A 'quote' {{ and }} 日本."},
            {"role": "user", "content": "And now?"},
        ]
        theirs = processor.tokenizer.apply_chat_template(
            chat, add_generation_prompt=True, return_dict=False
        )
        assert theirs == variant.processor(chat).input_ids_BL[0].tolist()

    def test_text_of_its_own_begins_with_the_opening_token(
        self, exported: Path, variant: plm.Variant
    ) -> None:
        theirs = AutoTokenizer.from_pretrained(exported)
        text = "Ünlike  that,\n\t12345 <|eot"
        assert theirs(text)["input_ids"] == [256, *variant.processor.tokenizer.encode(text)]

    def test_generation_ends_where_ours_ends(self, exported: Path) -> None:
        said = GenerationConfig.from_pretrained(exported)
        assert said.eos_token_id == [257, 265]
        assert (said.bos_token_id, said.pad_token_id, said.do_sample) == (256, 257, False)

    @pytest.mark.parametrize(
        ("options", "tiles"),
        [({"type": "single"}, 1), ({"type": "plm_tiles", "max_tiles": 1}, 2)],
    )
    def test_other_tilings(
        self, options: dict[str, Any], tiles: int, tokenizer: str, tmp_path: Path
    ) -> None:
        spec = plm_spec(tokenizer)
        spec["image_tiler"] = options
        plm.assemble(spec, init="random").export(tmp_path / "hf")
        processor = AutoProcessor.from_pretrained(tmp_path / "hf")
        batch = processor(text="<|image|>", images=[picture(70, 30)], return_tensors="pt")
        assert batch["pixel_values"].shape[:2] == (1, tiles)

    @pytest.mark.parametrize("layout", ["plm_sft", "jinja"])
    def test_an_empty_system_prompt_and_a_template_of_its_own(
        self, layout: str, tmp_path: Path
    ) -> None:
        own = "{{ bos_token }}{% for m in messages %}{{ m.content }}|{% endfor %}"
        slot = {
            "type": "hf",
            "path": publish_tokenizer(tmp_path / "files", chat_template=own),
            "template": layout,
            "system_prompt": "",
        }
        variant = plm.assemble(plm_spec(slot), init="random")
        variant.export(tmp_path / "hf")
        chat = [{"role": "user", "content": "What?"}]
        theirs = AutoTokenizer.from_pretrained(tmp_path / "hf")
        expected = variant.processor(chat).input_ids_BL[0].tolist()
        said = theirs.apply_chat_template(chat, add_generation_prompt=True, return_dict=False)
        assert said == expected


def test_plm_tiny_leaves_with_its_weights(tmp_path: Path) -> None:
    variant = plm.assemble("plm-tiny")
    exported = variant.export(tmp_path / "hf")
    assert exported.left_out[0].endswith("gives the ids of tokenizer/words for every text")
    theirs = loaded(tmp_path / "hf")
    image = {"type": "image", "image": picture(90, 70)}
    batch = variant.processor(user(image, {"type": "text", "text": "what color is the circle?"}))
    assert batch.pixel_values is not None
    with torch.no_grad():
        expected = theirs(
            input_ids=batch.input_ids_BL, pixel_values=batch.pixel_values[None]
        ).logits
        found = variant.model(batch.input_ids_BL, pixel_values=batch.pixel_values)
    assert off_by(found, expected) < 2e-5


class TestLeftOut:
    def test_words_of_its_own_leave_as_a_model(self, tmp_path: Path) -> None:
        words = {"type": "words", "words": ["red"], "system_prompt": ""}
        exported = plm.assemble(plm_spec(words), init="random").export(tmp_path / "hf")
        config = json.loads((tmp_path / "hf" / "config.json").read_text())
        assert (config["image_token_id"], config["video_token_id"]) == (3, 4)
        assert exported.left_out[0] == (
            "the tokenizer's and the processor's files: no tokenizer.json gives the ids of "
            "tokenizer/words for every text"
        )
        assert exported.files == (
            "config.json", "generation_config.json", "model.safetensors", "plm.export.json"
        )  # fmt: skip
        loaded(tmp_path / "hf")

    def test_tiles_that_no_processor_of_theirs_cuts(self, tokenizer: str, tmp_path: Path) -> None:
        spec = plm_spec(tokenizer, image_tiler={"thumbnail": False})
        exported = plm.assemble(spec, init="random").export(tmp_path / "hf")
        assert exported.left_out[0] == (
            "the processor's files: image_tiler/plm_tiles with its options cuts tiles in a way of "
            "its own"
        )
        assert "preprocessor_config.json" not in exported.files
        assert "tokenizer.json" in exported.files


def test_tiles_of_another_size_are_taken_as_the_variant_takes_them(tmp_path: Path) -> None:
    missing = {"type": "hf", "path": str(tmp_path / "none")}
    spec = plm_spec(missing, vision_encoder={"off_native": "timm"})
    variant = random_variant({**spec, "media_token_ids": [IMAGE_ID, VIDEO_ID]})
    directory = variant.export(tmp_path / "hf").directory
    # 6x6 patches where 4x4 are native
    pixels = torch.randn(1, 3, 84, 84, generator=torch.Generator().manual_seed(0))
    ids = torch.tensor([[5, *[IMAGE_ID] * 9, 7, 8]])
    with torch.no_grad():
        theirs = loaded(directory)(input_ids=ids, pixel_values=pixels[None]).logits
        for ours in (variant, plm.load(directory)):
            assert off_by(ours.model(ids, pixel_values=pixels), theirs) <= 2e-5


@pytest.mark.parametrize("ids", [(58, 59), (59, 58), (58, 58)])
def test_what_stands_for_an_image_and_what_for_a_video_survives(
    tmp_path: Path, ids: tuple[int, int]
) -> None:
    model = small_hf()
    model.config.image_token_id, model.config.video_token_id = ids
    model.save_pretrained(tmp_path / "theirs")
    directory = plm.load(tmp_path / "theirs").export(tmp_path / "ours").directory
    config = PerceptionLMConfig.from_pretrained(directory)
    assert (config.image_token_id, config.video_token_id) == ids
