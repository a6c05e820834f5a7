"""What leaves as an original directory: params.json by Llama's rules, a bare state dict."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer
from torch import Tensor
from transformers import AutoProcessor

import plm_components as plm
from plm_components.checkpoints.export_original import OriginalExport
from plm_components.checkpoints.plm_facts import ffn_rule, plm_facts
from plm_components.spec import load_spec, resolve
from plm_components.zoo import Zoo
from plm_exports import plm_spec, publish_tokenizer, random_variant


@pytest.fixture
def ranks(tmp_path: Path) -> Path:
    """A ranks file of bytes and a few merges."""
    tokens = [bytes([value]) for value in range(256)] + [b"th", b"the", b" r", b" red"]
    lines = (b"%s %d\n" % (base64.b64encode(token), rank) for rank, token in enumerate(tokens))
    path = tmp_path / "tokenizer.model"
    path.write_bytes(b"".join(lines))
    return path


def of_tiktoken(ranks: Path, **slots: Any) -> dict[str, Any]:
    decoder = {"vocab_size": 516, **slots.pop("decoder", {})}
    return plm_spec({"type": "tiktoken", "path": str(ranks)}, decoder=decoder, **slots)


def read(directory: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    params = json.loads((directory / "params.json").read_text())
    return params, torch.load(directory / "consolidated.pth", weights_only=True)


def interleaved(weight: Tensor, num_heads: int) -> Tensor:
    """Row by row, as the facts have it: original row 2j of a head is half-split row j."""
    rows = torch.empty_like(weight)
    size = len(weight) // num_heads
    for row in range(len(weight)):
        head, place = divmod(row, size)
        half, j = divmod(place, size // 2)
        rows[head * size + 2 * j + half] = weight[row]
    return rows


def test_the_state_dict_is_bare_and_turns_in_neighbouring_pairs(
    ranks: Path, tmp_path: Path
) -> None:
    variant = random_variant(of_tiktoken(ranks))
    exported = variant.export(tmp_path / "out", format="original")
    _, state = read(exported.directory)
    ours = variant.model.state_dict()
    layer = "decoder.layers.1."
    q, k = state["layers.1.attention.wq.weight"], state["layers.1.attention.wk.weight"]
    assert torch.equal(q, interleaved(ours[f"{layer}q_proj.weight"], 4))
    assert torch.equal(k, interleaved(ours[f"{layer}k_proj.weight"], 2))
    assert torch.equal(state["layers.1.feed_forward.w3.weight"], ours[f"{layer}up_proj.weight"])
    assert torch.equal(
        state["vision_model.class_embedding"], ours["vision_encoder.cls_token"].flatten()
    )
    assert torch.equal(state["vision_projector.projector.2.bias"], ours["projector.linear_2.bias"])
    assert type(state) is dict
    # the head is the table once more by name, and once in the file
    assert state["output.tied_module.weight"] is not None
    table = state["tok_embeddings.weight"]
    assert state["output.tied_module.weight"].data_ptr() == table.data_ptr()
    assert len(state) == len(ours) + 1


def test_the_files_and_what_params_say(ranks: Path, tmp_path: Path) -> None:
    variant = random_variant(of_tiktoken(ranks), dtype="bfloat16")
    exported = variant.export(tmp_path / "out", format="original")
    assert exported.files == (
        "consolidated.pth", "params.json", "tokenizer.model", "plm.export.json"
    )  # fmt: skip
    assert exported.left_out == ()
    assert (tmp_path / "out" / "tokenizer.model").read_bytes() == ranks.read_bytes()
    params, state = read(tmp_path / "out")
    assert params["data"] == {
        "tokenizer_name": "plmchat", "tokenizer_path": "tokenizer.model",
        "vision_input_type": "thumb+tile", "max_num_tiles": 4, "max_video_frames": 4,
    }  # fmt: skip
    assert params["distributed"] == {"model_dtype": "bf16"}
    assert {tensor.dtype for tensor in state.values()} == {torch.bfloat16}


def test_weights_of_a_memory_map_take_no_more_room_than_their_own(
    ranks: Path, tmp_path: Path
) -> None:
    random_variant(of_tiktoken(ranks)).save(tmp_path / "saved")
    exported = plm.load(tmp_path / "saved").export(tmp_path / "out", format="original")
    _, state = read(exported.directory)
    unique = {tensor.data_ptr(): tensor.nbytes for tensor in state.values()}
    size = (tmp_path / "out" / "consolidated.pth").stat().st_size
    # torch's zip aligns every tensor to 64 bytes and names it twice
    assert sum(unique.values()) < size < sum(unique.values()) + 500 * len(state)
    stored = {tensor.untyped_storage().nbytes() - tensor.nbytes for tensor in state.values()}
    assert stored == {0}


def test_an_untied_head_and_no_class_token(ranks: Path, tmp_path: Path) -> None:
    spec = of_tiktoken(
        ranks,
        decoder={"tie_embeddings": False, "rope_scale_factor": 8.0, "vocab_size": 516},
        vision_encoder={"class_token": False, "layer_scale": None, "drop_path": 0.1},
    )
    variant = random_variant(spec)
    variant.export(tmp_path / "out", format="original")
    params, state = read(tmp_path / "out")
    assert torch.equal(state["output.weight"], variant.model.state_dict()["decoder.lm_head.weight"])
    absent = ("output.tied_module.weight", "vision_model.class_embedding")
    assert not any(name in state or ".ls_1." in name for name in absent)
    model = params["model"]
    assert (model["weight_tying"], model["use_scaled_rope"]) == (False, True)
    assert model["rope_scale_factor"] == 8.0
    vision = model["vision_model"]
    assert (vision["use_cls_token"], vision["ls_init_value"]) == (False, None)
    assert vision["drop_path"] == 0.1


@pytest.mark.parametrize(
    ("spec", "rule", "ffn_dim"),
    [
        ("plm-1b", (1.5, 256), 4096),
        ("plm-3b", (1.0, 256), 4096),
        ("plm-8b", (1.3, 256), 8960),
    ],
)
def test_the_published_sizes(spec: str, rule: tuple[float, int], ffn_dim: int) -> None:
    tree = resolve(load_spec(spec), Zoo.discover())
    assert ffn_rule(plm_facts(tree)) == rule
    model = OriginalExport(tree, "bfloat16").params["model"]
    assert model["use_scaled_rope"] == (spec != "plm-8b")
    vision = model["vision_model"]
    assert int(vision["width"] * vision["mlp_ratio"]) == ffn_dim


@pytest.mark.parametrize("dim", [8, 192, 960, 3072])
@pytest.mark.parametrize("ffn_dim", [1, 49, 512, 3000, 8193])
def test_llamas_rule_gives_any_ffn_dim_again(dim: int, ffn_dim: int, ranks: Path) -> None:
    block = {"ffn_dim": ffn_dim, "num_heads": 4}
    tree = resolve(of_tiktoken(ranks, decoder={"dim": dim, "block": block}), Zoo.discover())
    multiplier, multiple = ffn_rule(plm_facts(tree))
    hidden = int(multiplier * int(2 * (4 * dim) / 3))
    assert multiple * ((hidden + multiple - 1) // multiple) == ffn_dim


def test_without_a_ranks_file_the_tokenizer_stays_behind(tmp_path: Path) -> None:
    spec = plm_spec(publish_tokenizer(tmp_path / "tokenizer"))
    exported = plm.assemble(spec, init="random").export(tmp_path / "out", format="original")
    assert exported.left_out == (
        "tokenizer.model: tokenizer/hf was not read from one that is here",
    )
    assert "tokenizer_path" not in read(tmp_path / "out")[0]["data"]


def test_a_ranks_file_leaves_for_transformers_as_a_tokenizer(ranks: Path, tmp_path: Path) -> None:
    variant = plm.assemble(of_tiktoken(ranks), init="random")
    exported = variant.export(tmp_path / "hf")
    processor = AutoProcessor.from_pretrained(exported.directory)
    assert processor.image_token == "<|image|>"
    assert processor.video_token_id == processor.image_token_id + 1
    chat = [{"role": "user", "content": "the red theatre"}]
    said = processor.tokenizer.apply_chat_template(
        chat, add_generation_prompt=True, return_dict=False
    )
    assert said == variant.processor(chat).input_ids_BL[0].tolist()
    plain = Tokenizer.from_file(str(tmp_path / "hf" / "tokenizer.json"))
    assert plain.encode("the red").ids == [260, 257, 259]
