"""There and back again: what was published comes out as it went in, bit for bit."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

import plm_components as plm
from plm_exports import plm_spec, publish_tokenizer, random_variant
from published import Size, save_small

# of published configurations, what decides a number
TOLD = ("image_token_id", "video_token_id", "projector_pooling_ratio", "vision_use_cls_token")
TEXT = (
    "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "head_dim",
    "num_key_value_heads", "rms_norm_eps", "vocab_size", "rope_parameters", "tie_word_embeddings",
)  # fmt: skip


def bits(tensors: dict[str, Tensor]) -> dict[str, tuple[str, bytes]]:
    return {name: (str(t.dtype), t.numpy().tobytes()) for name, t in tensors.items()}


@pytest.mark.parametrize("size", [Size(), Size(class_token=False, tied=False, pool=1)], ids=str)
def test_what_transformers_saved(size: Size, tmp_path: Path) -> None:
    save_small(tmp_path / "theirs", size)
    plm.load(tmp_path / "theirs").export(tmp_path / "ours")
    before, after = (
        bits(load_file(tmp_path / name / "model.safetensors")) for name in ("theirs", "ours")
    )
    assert before == after
    theirs, ours = (
        json.loads((tmp_path / name / "config.json").read_text()) for name in ("theirs", "ours")
    )
    assert {key: ours[key] for key in TOLD} == {key: theirs[key] for key in TOLD}
    text, published = ours["text_config"], theirs["text_config"]
    assert {key: text[key] for key in TEXT} == {key: published[key] for key in TEXT}
    assert text["max_position_embeddings"] == published["max_position_embeddings"]


@pytest.mark.parametrize(
    "slots",
    [
        {},
        {
            "vision_encoder": {"class_token": False, "layer_scale": None, "drop_path": 0.1},
            "decoder": {"tie_embeddings": False, "rope_scale_factor": 8.0},
        },
    ],
)
def test_original_ours_hf_ours_original(slots: dict[str, Any], tmp_path: Path) -> None:
    lines = (b"%s %d\n" % (base64.b64encode(bytes([n])), n) for n in range(256))
    (tmp_path / "tokenizer.model").write_bytes(b"".join(lines))
    tokenizer = {"type": "tiktoken", "path": str(tmp_path / "tokenizer.model")}
    slots = {**slots, "decoder": {"vocab_size": 512, **slots.get("decoder", {})}}
    first = random_variant(plm_spec(tokenizer, **slots))
    first.export(tmp_path / "a", format="original")
    second = plm.load(tmp_path / "a", dtype="float32")
    second.export(tmp_path / "b", format="original")
    for name in ("params.json", "tokenizer.model"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    before, after = (
        bits(torch.load(tmp_path / name / "consolidated.pth", weights_only=True)) for name in "ab"
    )
    assert before == after
    second.export(tmp_path / "hf")
    third = plm.load(tmp_path / "hf")
    assert bits(third.model.state_dict()) == bits(first.model.state_dict())
    ids = torch.randint(0, 256, (1, 20), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(first.model(ids), third.model(ids))


def test_the_parts_come_back_as_they_were(tmp_path: Path) -> None:
    spec = plm_spec(
        publish_tokenizer(tmp_path / "tokenizer"),
        decoder={"rope_scale_factor": 4.0, "rope_original_positions": 128},
        video_sampler={"max_frames": 3},
    )
    variant = random_variant(spec, dtype="bfloat16")
    variant.export(tmp_path / "hf")
    back = plm.load(tmp_path / "hf")
    assert back.notes == ()
    assert next(back.model.parameters()).dtype == torch.bfloat16
    now, then = ({p.path: dict(p.options) for p in v.lock.parts} for v in (back, variant))
    for options in (now, then):
        # where the files are, and the stops of the generation configuration spelt out
        options["tokenizer"] = None
        # said aloud or derived from the width
        options["decoder.block"]["head_dim"] = None
    assert now == then
    chat = [{"role": "user", "content": "What moves?"}]
    before, after = (v.processor(chat).input_ids_BL for v in (variant, back))
    assert torch.equal(before, after)
    assert back.processor.tokenizer.stop_ids == variant.processor.tokenizer.stop_ids
