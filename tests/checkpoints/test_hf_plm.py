"""Hugging Face PerceptionLM directories: what their files say, and what cannot be believed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    GenerationConfig,
    PerceptionLMForConditionalGeneration,
    PerceptionLMImageProcessor,
    PerceptionLMProcessor,
    PerceptionLMVideoProcessor,
    PreTrainedTokenizerFast,
)

import plm_components as plm
from plm_components.checkpoints.hf_tower import ARCHITECTURES
from plm_components.errors import CheckpointError, TokenizerError, UnsupportedError
from published import ROWS, Size, both_logits, inputs_of, save_small

Edit = Callable[..., None]

SYSTEM = (
    "You are a helpful language and vision assistant. You are able to understand the visual "
    "content that the user provides, and assist the user with a variety of tasks using natural "
    "language."
)
# in the published layout, whatever is said where a conversation has no system turn
TEMPLATE = """\
{{- '<|begin_of_text|>' }}
{%- if messages[0]['role'] != 'system' %}
    {{- '<|start_header_id|>system<|end_header_id|>\n\nSYSTEM<|eot_id|>' }}
{%- endif %}
{%- for message in messages %}
    {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' }}
    {%- if message['content'] is string %}{{- message['content'] | trim }}{%- else %}
        {%- for part in message['content'] if part['type'] == 'image' %}{{- '<|image|>' }}
        {%- endfor %}
        {%- for part in message['content'] if part['type'] == 'text' %}{{- part['text'] | trim }}
        {%- endfor %}
    {%- endif %}
    {{- '<|eot_id|>' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\n\n' }}
{%- endif %}
"""


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("hf")
    save_small(directory)
    return directory


@pytest.fixture
def copy(saved: Path, tmp_path: Path) -> Path:
    return shutil.copytree(saved, tmp_path / "copy")


def edit_json(file: Path, *path: str, **values: Any) -> None:
    """Sets keys of a nested mapping; a value of ``...`` deletes its key."""
    data = json.loads(file.read_text()) if file.exists() else {}
    place = data
    for name in path:
        place = place.setdefault(name, {})
    for key, value in values.items():
        place.pop(key, None)
        if value is not ...:
            place[key] = value
    file.write_text(json.dumps(data))


def digest(directory: Path) -> str:
    return sha256((directory / "model.safetensors").read_bytes()).hexdigest()[:12]


def spec_of(directory: Path) -> dict[str, Any]:
    return plm.load(directory).spec


def test_the_receipt_counts_every_tensor(saved: Path) -> None:
    variant = plm.load(saved)
    stored = load_file(saved / "model.safetensors")
    assert variant.receipt.num_tensors == len(stored)
    assert variant.receipt.fresh_parts == ()
    assert str(variant.receipt).splitlines()[1] == (
        f"projector: 4 tensors, 2,112 elements, hf:{saved}, sha256 {digest(saved)}"
    )
    assert variant.notes == ()


def test_weights_are_views_of_the_file(saved: Path) -> None:
    file = (saved / "model.safetensors").resolve()
    variant = plm.load(saved)
    maps = Path("/proc/self/maps")
    if not maps.exists():
        pytest.skip("no /proc on this system")
    ranges = [
        tuple(int(end, 16) for end in line.split()[0].split("-"))
        for line in maps.read_text().splitlines()
        if line.endswith(str(file))
    ]
    outside = [
        name
        for name, parameter in variant.model.named_parameters()
        if not any(low <= parameter.data_ptr() < high for low, high in ranges)
    ]
    assert outside == []


def test_shards_are_read_as_one(tmp_path: Path) -> None:
    theirs = save_small(tmp_path)
    theirs.save_pretrained(tmp_path / "shards", max_shard_size="60KB")
    assert len(list((tmp_path / "shards").glob("*.safetensors"))) > 2
    whole, parts = plm.load(tmp_path).model, plm.load(tmp_path / "shards").model
    assert all(
        torch.equal(a, b) for a, b in zip(whole.parameters(), parts.parameters(), strict=True)
    )


def test_old_keys_say_the_same(copy: Path) -> None:
    expected = spec_of(copy)
    config = copy / "config.json"
    text = json.loads(config.read_text())["text_config"]
    rope = text["rope_parameters"]
    theta = rope.pop("rope_theta")
    edit_json(
        config,
        "text_config",
        rope_parameters=...,
        rope_theta=theta,
        rope_scaling=rope,
        head_dim=...,
    )
    edit_json(config, dtype=..., torch_dtype="float32", tie_word_embeddings=...)
    assert spec_of(copy) == expected
    rope["type"] = rope.pop("rope_type")
    edit_json(config, "text_config", rope_scaling=rope)
    assert spec_of(copy) == expected


def test_what_saving_left_out_has_transformers_defaults(copy: Path) -> None:
    config = copy / "config.json"
    edit_json(config, "text_config", hidden_act=..., mlp_bias=..., max_position_embeddings=...)
    edit_json(config, vision_use_cls_token=..., video_token_id=...)
    edit_json(config, "text_config", model_type=...)
    edit_json(config, "vision_config", model_type=...)
    spec = spec_of(copy)
    assert spec["decoder"]["max_positions"] == 2048
    assert spec["media_token_ids"] == [58, 128003]
    theirs = PerceptionLMForConditionalGeneration.from_pretrained(copy).eval()
    assert theirs.config.text_config.max_position_embeddings == 2048
    expected, found = both_logits(
        theirs, plm.load(copy).model, inputs_of([ROWS["one tile"]], Size())
    )
    assert float((found - expected).abs().max()) <= 2e-5 * float(expected.abs().max())


def test_tokens_are_averaged_only_where_the_configuration_says_so(tmp_path: Path) -> None:
    size = Size(pool=1)
    save_small(tmp_path, size)
    edit_json(tmp_path / "config.json", projector_pooling_ratio=...)
    theirs = PerceptionLMForConditionalGeneration.from_pretrained(tmp_path).eval()
    expected, found = both_logits(
        theirs, plm.load(tmp_path).model, inputs_of([ROWS["one tile"]], size)
    )
    assert float((found - expected).abs().max()) <= 2e-5 * float(expected.abs().max())


def test_heads_of_another_size_than_the_width_gives(tmp_path: Path) -> None:
    size = Size()
    theirs = save_small(tmp_path, size, head_dim=12)
    variant = plm.load(tmp_path)
    assert variant.spec["decoder"]["block"]["head_dim"] == 12
    expected, found = both_logits(theirs, variant.model, inputs_of([ROWS["one tile"]], size))
    assert float((found - expected).abs().max()) <= 2e-5 * float(expected.abs().max())


def test_the_dtype_is_the_configurations_or_the_files(copy: Path) -> None:
    file = copy / "model.safetensors"
    halved = {name: tensor.bfloat16() for name, tensor in load_file(file).items()}
    save_file(halved, file, metadata={"format": "pt"})
    edit_json(copy / "config.json", dtype=...)
    assert {p.dtype for p in plm.load(copy).model.parameters()} == {torch.bfloat16}
    edit_json(copy / "config.json", dtype="float32")
    assert {p.dtype for p in plm.load(copy).model.parameters()} == {torch.float32}
    assert {p.dtype for p in plm.load(copy, dtype="float16").model.parameters()} == {torch.float16}


def test_the_text_part_does_not_decide_the_dtype(copy: Path) -> None:
    edit_json(copy / "config.json", dtype=...)
    edit_json(copy / "config.json", "text_config", dtype="bfloat16")
    theirs = PerceptionLMForConditionalGeneration.from_pretrained(copy)
    dtypes = {p.dtype for p in theirs.parameters()}
    assert {p.dtype for p in plm.load(copy).model.parameters()} == dtypes


def test_keys_that_nothing_knows_are_told(copy: Path) -> None:
    edit_json(copy / "config.json", someones_key=3)
    edit_json(copy / "config.json", "text_config", another=[1], quiet=False)
    assert plm.load(copy).notes == (
        "config.json: nothing here knows someones_key, text_config.another",
    )


def test_a_tied_head_may_be_in_the_file(copy: Path) -> None:
    file = copy / "model.safetensors"
    tensors = load_file(file)
    tensors["lm_head.weight"] = tensors["model.language_model.embed_tokens.weight"].clone()
    save_file(tensors, file, metadata={"format": "pt"})
    assert plm.load(copy).notes == (
        "tensors of the files that the model does not have: lm_head.weight",
    )


@pytest.mark.parametrize("said", [True, ...], ids=["here", "in the text part"])
def test_a_head_of_its_own_is_kept_whatever_the_configuration_says(
    copy: Path, said: object
) -> None:
    file = copy / "model.safetensors"
    tensors = load_file(file)
    table = tensors["model.language_model.embed_tokens.weight"]
    tensors["lm_head.weight"] = table.flip(0).contiguous()
    save_file(tensors, file, metadata={"format": "pt"})
    edit_json(copy / "config.json", tie_word_embeddings=said)
    theirs = PerceptionLMForConditionalGeneration.from_pretrained(copy).eval()
    variant = plm.load(copy)
    expected, found = both_logits(theirs, variant.model, inputs_of([ROWS["one tile"]], Size()))
    assert float((found - expected).abs().max()) <= 2e-5 * float(expected.abs().max())
    assert variant.notes == (
        "config.json ties the head to the embedding table, and the files hold another one: "
        "it is kept, as transformers does",
    )


def test_an_index_beside_the_one_file_is_left_over(copy: Path, tmp_path: Path) -> None:
    save_small(tmp_path / "older", seed=1).save_pretrained(
        tmp_path / "shards", max_shard_size="60KB"
    )
    for file in (tmp_path / "shards").glob("model*"):
        shutil.copy(file, copy)
    theirs = PerceptionLMForConditionalGeneration.from_pretrained(copy).eval()
    expected, found = both_logits(
        theirs, plm.load(copy).model, inputs_of([ROWS["one tile"]], Size())
    )
    assert float((found - expected).abs().max()) <= 2e-5 * float(expected.abs().max())


REFUSED = [
    ((), "model_type", "llava"),
    (("text_config",), "model_type", "qwen2"),
    (("text_config",), "hidden_act", "gelu"),
    (("text_config",), "attention_bias", True),
    (("text_config",), "mlp_bias", True),
    (("text_config",), "partial_rotary_factor", 0.5),
    (("text_config", "rope_parameters"), "rope_type", "yarn"),
    (("text_config", "rope_parameters"), "attention_factor", 2.0),
    (("vision_config",), "model_type", "siglip_vision_model"),
    (("vision_config",), "architecture", "vit_large_patch14_clip_336"),
    (("vision_config", "model_args"), "use_post_transformer_norm", None),
    (("vision_config", "model_args"), "global_pool", "map"),
    (("vision_config", "model_args"), "global_pool", "avg"),
    (("vision_config", "model_args"), "ref_feat_shape", [3, 3]),
    (("vision_config", "model_args"), "rope_grid_offset", 0.0),
    (("vision_config", "model_args"), "swiglu_mlp", True),
    (("vision_config", "model_args"), "num_reg_tokens", 4),
    (("vision_config", "model_args"), "someones_argument", 1),
]
WRONG = [
    ((), "projector_pooling_ratio", 0),
    ((), "image_token_id", -1),
    ((), "dtype", "int8"),
    ((), "tie_word_embeddings", "yes"),
    ((), "text_config", []),
    ((), "vision_use_cls_token", False),
    (("text_config",), "hidden_size", "32"),
    (("text_config",), "num_hidden_layers", 10**9),
    (("text_config",), "num_attention_heads", True),
    (("text_config",), "rms_norm_eps", 1e300),
    (("text_config", "rope_parameters"), "low_freq_factor", 4.0),
    (("text_config", "rope_parameters"), "factor", -1),
    (("vision_config", "model_args"), "img_size", [56, 28]),
    (("vision_config", "model_args"), "depth", 2.5),
    (("vision_config",), "architecture", ["a"]),
]


@pytest.mark.parametrize(
    ("error", "path", "key", "value"),
    [
        *[(UnsupportedError, *case) for case in REFUSED],
        *[(CheckpointError, *case) for case in WRONG],
    ],
)
def test_no_value_that_changes_numbers_is_passed_over(
    copy: Path, error: type[Exception], path: tuple[str, ...], key: str, value: object
) -> None:
    edit_json(copy / "config.json", *path, **{key: value})
    # a tower that cuts its first token off says so in two places
    named = "class_token" if key == "vision_use_cls_token" else key
    with pytest.raises(error) as caught:
        plm.load(copy)
    # the error of rotary types has a sentence of its own
    assert named in str(caught.value) or named == "rope_type"
    assert str(copy / "config.json") in caught.value.where


def test_the_error_says_what_and_where_and_why(copy: Path) -> None:
    edit_json(copy / "config.json", "text_config", hidden_act="gelu")
    with pytest.raises(UnsupportedError) as caught:
        plm.load(copy)
    assert str(caught.value) == (
        'hidden_act is "gelu", and the MLP\'s gate is a SiLU.\n'
        f"  where:    {copy / 'config.json'}: text_config\n"
        '  expected: hidden_act: null or "silu" or "swish"\n'
        "  fix:      compose a spec with parts that do this; transformers runs the checkpoint as "
        "it is"
    )


@pytest.mark.parametrize("text", ["", "[]", "{", "\xff", "[" * 100_000])
def test_a_configuration_that_is_none(copy: Path, text: str) -> None:
    (copy / "config.json").write_text(text, encoding="latin-1")
    with pytest.raises(CheckpointError) as caught:
        plm.load(copy)
    assert caught.value.what.startswith("The configuration cannot be read: ")


@pytest.mark.parametrize(
    ("path", "key", "value", "fault"),
    [
        (("text_config",), "num_hidden_layers", 3, "tensors missing: 9"),
        (("text_config",), "num_hidden_layers", 1, "unexpected: 9"),
        (("text_config",), "intermediate_size", 64, "of another shape: 6"),
        ((), "tie_word_embeddings", False, "tensors missing: 1"),
        (("vision_config", "model_args"), "init_values", None, "unexpected: 4"),
    ],
)
def test_a_configuration_that_lies_about_the_file(
    copy: Path, path: tuple[str, ...], key: str, value: object, fault: str
) -> None:
    edit_json(copy / "config.json", *path, **{key: value})
    with pytest.raises(CheckpointError) as caught:
        plm.load(copy)
    assert fault in caught.value.what
    # named as in the file
    assert "model.language_model." in caught.value.expected or key in (
        "tie_word_embeddings", "init_values",
    )  # fmt: skip


def test_two_formats_in_one_directory(copy: Path) -> None:
    (copy / "params.json").write_text("{}")
    with pytest.raises(CheckpointError) as caught:
        plm.load(copy)
    assert caught.value.what == (
        "The directory is of two formats: it holds config.json and params.json."
    )


def test_a_hub_id_that_is_not_within_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(CheckpointError) as caught:
        plm.load("nobody-at-all/no-such-model")
    assert caught.value.where == "nobody-at-all/no-such-model"
    assert caught.value.fix.endswith("hf download nobody-at-all/no-such-model")


def test_a_hub_id_is_looked_for_in_the_cache(
    saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = "0" * 40
    home = tmp_path / "models--someone--plm"
    shutil.copytree(saved, home / "snapshots" / commit)
    (home / "refs").mkdir()
    (home / "refs" / "main").write_text(commit)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    variant = plm.load("someone/plm")
    assert variant.spec["weights"] == "hf:someone/plm"
    assert variant.spec["tokenizer"]["path"] == "someone/plm"
    assert str(variant.receipt).splitlines()[1].endswith(f"hf:someone/plm, sha256 {digest(saved)}")


def test_the_weights_under_a_spec_of_ones_own(saved: Path) -> None:
    whole = plm.load(saved)
    variant = plm.assemble(
        {**whole.spec, "weights": f"hf:{saved}"}, overrides=["decoder.block.attention=eager"]
    )
    ids = torch.arange(10)[None]
    with torch.no_grad():
        torch.testing.assert_close(variant.model(ids), whole.model(ids), rtol=0, atol=1e-5)


def test_other_parts_have_no_place_for_them(saved: Path) -> None:
    spec = {**plm.load(saved).spec, "projector": "linear"}
    with pytest.raises(UnsupportedError) as caught:
        plm.assemble(spec)
    assert str(caught.value) == (
        "projector.linear.bias has no place in hf: weights (2 such tensors).\n"
        "  where:    weights\n"
        "  expected: vision_encoder/pe, projector/avg_pool_mlp, decoder/llama, "
        "decoder_block/prenorm_gqa_swiglu, or parts with the same tensors\n"
        "  fix:      use these parts, or weights: plm:<directory> that was saved with this spec"
    )


def test_it_is_saved_as_one_of_ours(saved: Path, tmp_path: Path) -> None:
    variant = plm.load(saved)
    again = plm.load(variant.save(tmp_path / "ours"))
    # media stand where they stood, and no path of this machine's is needed for the weights
    assert again.model.media_token_ids == (58, 59)
    assert again.spec["weights"] == "plm:."
    inputs = inputs_of([ROWS["video"]], Size()).for_us()
    with torch.no_grad():
        assert torch.equal(again.model(**inputs), variant.model(**inputs))
    assert str(again.receipt).splitlines()[1] == (
        f"projector: 4 tensors, 2,112 elements, hf:{saved}, sha256 {digest(saved)}, "
        f"read from plm:{tmp_path / 'ours'}"
    )


def test_asking_without_a_tokenizer_says_what_is_missing(saved: Path) -> None:
    with pytest.raises(TokenizerError) as caught:
        plm.load(saved).ask("what moves?")
    assert caught.value.what == "There is no tokenizer.json to read."
    assert caught.value.where == f"tokenizer ({saved})"


def with_processor(directory: Path, *, old_files: bool = False, system: str = SYSTEM) -> list[str]:
    """Tokenizer, processors and generation configuration, as transformers writes them."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({letter: n for n, letter in enumerate(alphabet)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    names = ("begin_of_text", "end_of_text", "image", "video", "start_header_id", "end_header_id",
             "eot_id", "stop")  # fmt: skip
    tokenizer.add_special_tokens([AddedToken(f"<|{name}|>") for name in names])
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<|begin_of_text|>",
        eos_token="<|eot_id|>",
        pad_token="<|end_of_text|>",
        extra_special_tokens={"image_token": "<|image|>", "video_token": "<|video|>"},
    )
    PerceptionLMProcessor(
        image_processor=PerceptionLMImageProcessor(
            max_num_tiles=3, tile_size=56, size={"height": 56, "width": 56}
        ),
        video_processor=PerceptionLMVideoProcessor(size={"height": 56, "width": 56}, num_frames=6),
        tokenizer=fast,
        patch_size=14,
        pooling_ratio=2,
        chat_template=TEMPLATE.replace("SYSTEM", system),
    ).save_pretrained(directory)
    stops = ["<|eot_id|>", "<|stop|>"]
    ends = [tokenizer.token_to_id(one) for one in stops]
    GenerationConfig(eos_token_id=ends).save_pretrained(directory)
    if old_files:
        whole = json.loads((directory / "processor_config.json").read_text())
        for key, name in (
            ("image_processor", "preprocessor_config.json"),
            ("video_processor", "video_preprocessor_config.json"),
        ):
            (directory / name).write_text(json.dumps(whole.pop(key)))
        (directory / "processor_config.json").write_text(json.dumps(whole))
    return stops


@pytest.mark.parametrize("old_files", [False, True])
def test_processor_and_generation_become_slots(tmp_path: Path, old_files: bool) -> None:
    save_small(tmp_path, vocab_size=800, max_position_embeddings=512)
    stops = with_processor(tmp_path, old_files=old_files)
    variant = plm.load(tmp_path)
    spec = variant.spec
    assert spec["image_tiler"] == {"type": "plm_tiles", "max_tiles": 3}
    assert spec["video_sampler"] == {"type": "plm_uniform", "max_frames": 6}
    assert spec["tokenizer"]["stop_tokens"] == stops
    tokenizer = variant.processor.tokenizer
    assert [tokenizer.decode([one]) for one in tokenizer.stop_ids] == ["", ""]
    assert len(tokenizer.stop_ids) == 2
    answer = variant.ask("what moves?", image=Image.new("RGB", (80, 40)), max_new_tokens=3)
    assert isinstance(answer, str)


@pytest.mark.parametrize("system", [SYSTEM, "Answer in verse."])
def test_conversations_are_laid_out_as_the_directory_says(tmp_path: Path, system: str) -> None:
    save_small(tmp_path, vocab_size=800, max_position_embeddings=512)
    with_processor(tmp_path, system=system)
    asked = [{"role": "user", "content": [{"type": "text", "text": "what moves?"}]}]
    theirs = PerceptionLMProcessor.from_pretrained(tmp_path).apply_chat_template(
        asked, add_generation_prompt=True, tokenize=True, return_dict=True
    )
    variant = plm.load(tmp_path)
    ours = variant.processor([{"role": "user", "content": "what moves?"}])
    assert ours.input_ids_BL.tolist() == theirs["input_ids"]
    note = "conversations are laid out by the directory's own chat template, not PerceptionLM's"
    assert variant.notes == (() if system == SYSTEM else (note,))
    assert variant.spec["tokenizer"]["template"] == ("plm_sft" if system == SYSTEM else "jinja")


@pytest.mark.parametrize(
    ("path", "key", "value", "error"),
    [
        ((), "patch_size", 16, CheckpointError),
        ((), "pooling_ratio", 1, CheckpointError),
        (("image_processor",), "tile_size", 448, CheckpointError),
        (("image_processor",), "max_num_tiles", 0, CheckpointError),
        (("image_processor",), "image_mean", [0.4, 0.4, 0.4], UnsupportedError),
        (("image_processor",), "resample", 2, UnsupportedError),
        (("image_processor",), "rescale_factor", 1.0, CheckpointError),
        (("video_processor",), "do_center_crop", True, UnsupportedError),
        (("video_processor",), "size", {"height": 448, "width": 448}, CheckpointError),
    ],
)
def test_a_processor_that_prepares_something_else(
    copy: Path, path: tuple[str, ...], key: str, value: object, error: type[Exception]
) -> None:
    edit_json(copy / "processor_config.json", *path, **{key: value})
    with pytest.raises(error) as caught:
        plm.load(copy)
    assert str(copy / "processor_config.json") in caught.value.where


def test_one_stretched_tile(copy: Path) -> None:
    edit_json(copy / "processor_config.json", "image_processor", vision_input_type="vanilla")
    assert spec_of(copy)["image_tiler"] == {"type": "single"}


def test_media_that_would_not_fit_are_cut_and_told(copy: Path) -> None:
    edit_json(copy / "config.json", "text_config", max_position_embeddings=300)
    variant = plm.load(copy)
    assert variant.spec["image_tiler"]["max_tiles"] == 10
    assert variant.notes == (
        "image_tiler.max_tiles is 10, not 36: more would not fit the decoder's 300 positions",
        "video_sampler.max_frames is 11, not 32: more would not fit the decoder's 300 positions",
    )


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_timm_knows_the_architectures_as_we_do(name: str) -> None:
    ours = ARCHITECTURES[name]
    with torch.device("meta"):
        theirs = timm.create_model(name, num_classes=0)
    side = ours["img_size"] // ours["patch_size"]
    assert theirs.patch_embed.grid_size == (side, side)
    assert len(theirs.blocks) == ours["depth"]
    assert theirs.embed_dim == ours["embed_dim"]
    assert theirs.blocks[0].attn.num_heads == ours["num_heads"]
    assert theirs.blocks[0].mlp.fc1.out_features == int(ours["embed_dim"] * ours["mlp_ratio"])
    assert (theirs.cls_token is not None) == ours["class_token"]
    assert (theirs.blocks[0].gamma_1 is not None) == (ours["init_values"] is not None)
    assert theirs.global_pool == ours["global_pool"]
    assert isinstance(theirs.norm, torch.nn.Identity) == (
        ours["use_post_transformer_norm"] is False
    )
    assert theirs.rope.ref_feat_shape == list(ours["ref_feat_shape"]) or (
        theirs.rope.ref_feat_shape == ours["ref_feat_shape"]
    )
    assert theirs.rope.grid_offset == ours["rope_grid_offset"]
