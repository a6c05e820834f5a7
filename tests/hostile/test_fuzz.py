"""Whatever stands in a file, reading it ends well or in one clear error, in bounded memory.

``--hypothesis-profile=long`` tries thousands of other examples of each.
"""

from __future__ import annotations

import io
import json
import sys
import zipfile
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save
from spoiling import damaged, fuzz, lying, told_or_done

from plm_components.assembly import Lock, lock_of
from plm_components.assembly.local_files import lock_localised
from plm_components.checkpoints import open_pickled, open_tensors, read_published
from plm_components.spec import load_spec, resolve
from plm_components.tokenizers.hf import HFTokenizer
from plm_components.tokenizers.tiktoken import TiktokenTokenizer
from plm_components.tokenizers.words import WordsTokenizer
from plm_components.zoo import default_zoo
from small_specs import tiny_spec

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="the fence around memory is Linux's"),
    pytest.mark.timeout(3600),
]

TENSORS = {"a.weight": torch.arange(12.0).reshape(4, 3), "b": torch.ones(5).bfloat16()}
SAFETENSORS = save(TENSORS, metadata={"format": "pt"})
HEADER = json.loads(SAFETENSORS[8 : 8 + int.from_bytes(SAFETENSORS[:8], "little")])
DATA = SAFETENSORS[8 + int.from_bytes(SAFETENSORS[:8], "little") :]
INDEX = {"metadata": {"total_size": 1}, "weight_map": dict.fromkeys(TENSORS, "model.safetensors")}


def pickled(content: Any) -> bytes:
    stream = io.BytesIO()
    torch.save(content, stream)
    return stream.getvalue()


PTH = pickled({"model": TENSORS, "optim": {"step": 3, "lr": [1e-3, None]}})
with zipfile.ZipFile(io.BytesIO(PTH)) as archive:
    RECORDS = {info.filename: archive.read(info) for info in archive.infolist()}
PICKLE = next(name for name in RECORDS if name.endswith("data.pkl"))

HF = {
    "config.json": {
        "model_type": "perception_lm",
        "dtype": "float32",
        "image_token_id": 58,
        "video_token_id": 59,
        "projector_pooling_ratio": 2,
        "vision_use_cls_token": True,
        "text_config": {
            "model_type": "llama",
            "hidden_size": 32,
            "num_hidden_layers": 2,
            "vocab_size": 64,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "intermediate_size": 48,
            "rms_norm_eps": 1e-5,
            "rope_theta": 5e5,
            "rope_scaling": {
                "rope_type": "llama3",
                "factor": 8.0,
                "low_freq_factor": 1.0,
                "high_freq_factor": 4.0,
                "original_max_position_embeddings": 256,
            },
            "tie_word_embeddings": True,
        },
        "vision_config": {
            "model_type": "timm_wrapper",
            "architecture": "vit_pe_core_large_patch14_336",
            "model_args": {
                "embed_dim": 32,
                "depth": 2,
                "num_heads": 2,
                "img_size": [56, 56],
                "global_pool": "",
                "use_post_transformer_norm": False,
                "init_values": 0.1,
                "ref_feat_shape": [4, 4],
            },
        },
    },
    "preprocessor_config.json": {
        "tile_size": 56,
        "max_num_tiles": 4,
        "vision_input_type": "thumb+tile",
        "image_mean": [0.5, 0.5, 0.5],
        "size": {"height": 56, "width": 56},
        "rescale_factor": 1 / 255,
    },
    "processor_config.json": {"patch_size": 14, "pooling_ratio": 2},
    "generation_config.json": {"eos_token_id": [1, 2]},
    "tokenizer.json": {"added_tokens": [{"id": 1, "content": "a"}, {"id": 2, "content": "b"}]},
}
ORIGINAL = {
    "model": {
        "dim": 32,
        "n_layers": 2,
        "n_heads": 4,
        "n_kv_heads": 2,
        "vocab_size": 64,
        "ffn_dim_multiplier": 1.5,
        "multiple_of": 32,
        "norm_eps": 1e-5,
        "rope_theta": 5e5,
        "rope_scale_factor": 8.0,
        "high_freq_factor": 4.0,
        "max_seqlen": 512,
        "weight_tying": True,
        "pooling_ratio": 2,
        "vision_model": {
            "image_size": 56,
            "patch_size": 14,
            "width": 32,
            "layers": 2,
            "heads": 2,
            "mlp_ratio": 4.0,
            "use_cls_token": True,
            "use_ln_post": False,
            "ls_init_value": 0.1,
        },
    },
    "data": {"vision_input_type": "thumb+tile", "max_num_tiles": 4, "max_video_frames": 4},
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


def read_all(stored: Any) -> None:
    for name, tensor in stored.read(stored.shapes):
        assert tuple(tensor.shape) == stored.shapes[name]
        tensor.double().sum()


@fuzz(150)
@given(data=damaged(SAFETENSORS) | st.binary(max_size=200))
def test_safetensors_bytes(place: Path, data: bytes) -> None:
    (place / "model.safetensors").write_bytes(data)
    assert told_or_done(lambda: read_all(open_tensors(place, "plm:x")))


@fuzz(150)
@given(header=lying(HEADER))
def test_safetensors_headers(place: Path, header: Any) -> None:
    text = json.dumps(header).encode()
    data = len(text).to_bytes(8, "little") + text + DATA
    (place / "model.safetensors").write_bytes(data)
    assert told_or_done(lambda: read_all(open_tensors(place, "plm:x")))


@fuzz(100)
@given(index=lying(INDEX))
def test_indices(tmp_path_factory: pytest.TempPathFactory, index: Any) -> None:
    directory = tmp_path_factory.mktemp("index")
    (directory / "model.safetensors").write_bytes(SAFETENSORS)
    (directory / "model.safetensors.index.json").write_text(json.dumps(index))
    assert told_or_done(lambda: read_all(open_tensors(directory, "plm:x")))


@fuzz(200)
@given(data=damaged(PTH) | st.binary(max_size=200).map(lambda tail: b"PK\3\4" + tail))
def test_pth_bytes(place: Path, data: bytes) -> None:
    (place / "consolidated.pth").write_bytes(data)
    assert told_or_done(lambda: read_all(open_pickled(place, "original:x")))


@fuzz(200)
@given(data=damaged(RECORDS[PICKLE]) | st.binary(max_size=60))
def test_pickles(place: Path, data: bytes) -> None:
    with zipfile.ZipFile(place / "consolidated.pth", "w") as archive:
        for name, record in {**RECORDS, PICKLE: data}.items():
            archive.writestr(name, record)
    assert told_or_done(lambda: read_all(open_pickled(place, "original:x")))


def published(directory: Path) -> None:
    found = read_published(directory)
    if found is not None:
        resolve(found.spec, default_zoo())


@fuzz(250)
@given(files=lying(HF))
def test_hugging_face_configurations(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, Any]
) -> None:
    directory = tmp_path_factory.mktemp("hf")
    for name in HF:
        if name in files:
            (directory / name).write_text(json.dumps(files[name]))
    assert told_or_done(lambda: published(directory))


@fuzz(60)
@given(data=damaged(json.dumps(HF["config.json"]).encode()) | st.binary(max_size=60))
def test_configuration_bytes(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    directory = tmp_path_factory.mktemp("hf")
    (directory / "config.json").write_bytes(data)
    assert told_or_done(lambda: published(directory))


@fuzz(250)
@given(params=lying(ORIGINAL))
def test_original_parameters(tmp_path_factory: pytest.TempPathFactory, params: Any) -> None:
    directory = tmp_path_factory.mktemp("original")
    (directory / "params.json").write_text(json.dumps(params))
    (directory / "consolidated.pth").write_bytes(PTH)
    assert told_or_done(lambda: published(directory))


def locked() -> dict[str, Any]:
    lock: dict[str, Any] = json.loads(lock_of(resolve(tiny_spec(), default_zoo())).to_json())
    line = {"part": "projector", "origin": "x", "tensors": 1, "parameters": 1, "fresh": True}
    lock["weights"] = {
        "sha256": "00",
        "num_bytes": 3,
        "num_tensors": 1,
        "dtype": "float32",
        "origins": [line],
    }
    return lock


LOCK = locked()


@fuzz(200)
@given(lock=lying(LOCK))
def test_locks(lock: Any) -> None:
    text = json.dumps(lock)
    assert told_or_done(lambda: lock_localised(Lock.from_json(text, where="plm.lock"), Path("/x")))


@fuzz(150)
@given(spec=lying(tiny_spec()))
def test_specs(spec: Any) -> None:
    assert told_or_done(lambda: resolve(load_spec(spec), default_zoo()))


@fuzz(80)
@given(data=damaged(json.dumps(tiny_spec(), indent=1).encode()))
def test_spec_files(place: Path, data: bytes) -> None:
    (place / "plm.yaml").write_bytes(data)
    assert told_or_done(lambda: resolve(load_spec(place / "plm.yaml"), default_zoo()))


def speak(tokenizer: Any) -> None:
    ids = tokenizer.encode("what moves? <|image|> \U0001f600")
    tokenizer.decode([*ids, *range(-1, 5), tokenizer.vocab_size, 2**40])


WORDS = b"what\nmoves\nthe\nred\ncircle\n"


@fuzz(100)
@given(data=damaged(WORDS) | st.binary(max_size=60))
def test_word_lists(place: Path, data: bytes) -> None:
    (place / "words.txt").write_bytes(data)
    assert told_or_done(lambda: speak(WordsTokenizer(words=str(place / "words.txt"))))


RANKS = b"".join(
    b"%s %d\n" % (b64encode(token), rank)
    for rank, token in enumerate([*(bytes([n]) for n in range(256)), b"wh", b"at", b"what"])
)


@fuzz(100)
@given(data=damaged(RANKS) | st.binary(max_size=60))
def test_ranks(place: Path, data: bytes) -> None:
    (place / "tokenizer.model").write_bytes(data)
    assert told_or_done(lambda: speak(TiktokenTokenizer(path=str(place / "tokenizer.model"))))


def small_tokenizer() -> dict[str, Any]:
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers

    merged = {"wh": 300, "at": 301, "what": 302}
    vocab = {letter: n for n, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    tokenizer = Tokenizer(models.BPE({**vocab, **merged}, [("w", "h"), ("a", "t"), ("wh", "at")]))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Replace("x", "y")])
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(["<|im_start|>", "<|im_end|>", "<|image|>"])
    found: dict[str, Any] = json.loads(tokenizer.to_str())
    return found


TOKENIZER = {
    "tokenizer.json": small_tokenizer(),
    "tokenizer_config.json": {"eos_token": "<|im_end|>", "pad_token": {"content": "<|im_end|>"}},
    "generation_config.json": {"eos_token_id": [1, 2]},
    "chat_template.json": {"chat_template": "{{ messages }}"},
}


@fuzz(250)
@given(files=lying(TOKENIZER), template=st.sampled_from(["chatml", "jinja", "warmup"]))
def test_tokenizers(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, Any], template: Any
) -> None:
    directory = tmp_path_factory.mktemp("tokenizer")
    for name in TOKENIZER:
        if name in files:
            (directory / name).write_text(json.dumps(files[name]))
    assert told_or_done(lambda: speak(HFTokenizer(path=str(directory), template=template)))


@fuzz(100)
@given(data=damaged(json.dumps(TOKENIZER["tokenizer.json"]).encode()))
def test_tokenizer_bytes(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    directory = tmp_path_factory.mktemp("tokenizer")
    (directory / "tokenizer.json").write_bytes(data)
    assert told_or_done(lambda: speak(HFTokenizer(path=str(directory), template="chatml")))
