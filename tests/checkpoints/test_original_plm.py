"""Original directories: files this test writes by the published rules, against transformers."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import plm_components as plm
from plm_components.checkpoints import original_changes, original_keys, plm_sizes
from plm_components.errors import CheckpointError, TokenizerError, UnsupportedError
from published import IMAGE_ID, ROWS, VIDEO_ID, Size, inputs_of, original_name, small_hf

HEADS, KV_HEADS = 4, 2


def interleaved(matrix: Tensor, heads: int) -> Tensor:
    """Row ``h*d + 2j`` from ``h*d + j``, row ``h*d + 2j + 1`` from ``h*d + d/2 + j``."""
    head_dim = len(matrix) // heads
    out = torch.empty_like(matrix)
    for head in range(heads):
        for j in range(head_dim // 2):
            start = head * head_dim
            out[start + 2 * j] = matrix[start + j]
            out[start + 2 * j + 1] = matrix[start + head_dim // 2 + j]
    return out


def original_state(model: Any, *, tied: bool) -> dict[str, Tensor]:
    state = {}
    for name, tensor in model.state_dict().items():
        name = original_name(name)
        if name.endswith(("wq.weight", "wk.weight")):
            tensor = interleaved(tensor, HEADS if "wq" in name else KV_HEADS)
        if name.endswith("class_embedding"):
            tensor = tensor[0, 0]
        if name.endswith("positional_embedding"):
            tensor = tensor[0]
        state[name] = tensor
    if tied:
        state["output.tied_module.weight"] = state["tok_embeddings.weight"]
        del state["output.weight"]
    return state


def params_of(size: Size, **model: Any) -> dict[str, Any]:
    stretch = {} if size.rope_factor == 1 else {"high_freq_factor": 4.0, "old_context_len": 256}
    return {
        "name": "plm",
        "optim": {"lr": 4e-5},
        "distributed": {"model_dtype": "bf16"},
        "data": {"max_num_tiles": 4, "max_video_frames": 8, "tokenizer_name": "plmchat"},
        "model": {
            "dim": 32, "n_layers": 2, "n_heads": HEADS, "n_kv_heads": KV_HEADS, "norm_eps": 1e-5,
            "rope_theta": 10000.0, "multiple_of": 16, "max_seqlen": 2048, "vocab_size": -1,
            "weight_tying": size.tied, "pooling_ratio": size.pool,
            "rope_scale_factor": size.rope_factor, **stretch,
            "vision_model": {
                "width": 32, "layers": 2, "heads": 2, "patch_size": 14, "image_size": 56,
                "mlp_ratio": 4.0 if size.class_token else 8960 / 1536, "use_ln_post": False,
                "ls_init_value": 0.1, "drop_path": 0.1, "use_cls_token": size.class_token,
                "pool_type": "none", "output_dim": None,
            },
            **model,
        },
    }  # fmt: skip


def write_original(directory: Path, size: Size, *, wrap: bool = False, **extra: Tensor) -> Any:
    """The directory of a random model; returns transformers' form of it."""
    model = small_hf(size, intermediate_size=96)
    state: dict[str, Any] = original_state(model, tied=size.tied) | extra
    directory.mkdir(exist_ok=True)
    saved = {"model": state, "optim": {"step": 3}} if wrap else state
    torch.save(saved, directory / "consolidated.pth")
    (directory / "params.json").write_text(json.dumps(params_of(size)))
    return model


SIZES = [Size(), Size(False, False, 1.0, 1), Size(True, False, 32.0, 2)]


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("wrap", [False, True], ids=["bare", "wrapped"])
def test_logits_equal_those_of_the_hugging_face_form(
    size: Size, wrap: bool, tmp_path: Path
) -> None:
    theirs = write_original(tmp_path, size, wrap=wrap)
    ours = plm.load(tmp_path).model
    for side in ("right", "left"):
        inputs = inputs_of(list(ROWS.values()), size, side=side)
        real = inputs.attention_mask.bool()
        # its own prompts have one id for both media, outside this small table
        media = torch.isin(inputs.input_ids, torch.tensor([IMAGE_ID, VIDEO_ID]))
        given = inputs.for_us() | {"input_ids": inputs.input_ids.masked_fill(media, 128002)}
        with torch.no_grad():
            expected = theirs(**inputs.for_transformers()).logits[real]
            found = ours(**given)[real]
        assert float((found - expected).abs().max()) <= 2e-5 * float(expected.abs().max())


def test_what_a_directory_says(tmp_path: Path) -> None:
    write_original(tmp_path, Size())
    variant = plm.load(tmp_path)
    spec = variant.spec
    assert (spec["image_tiler"], spec["video_sampler"]) == (
        {"type": "plm_tiles", "max_tiles": 4},
        {"type": "plm_uniform", "max_frames": 8},
    )
    # two thirds of four times the width, rounded up to a multiple of 16
    assert spec["decoder"]["block"]["ffn_dim"] == 96
    assert spec["decoder"]["vocab_size"] == 64
    assert spec["vision_encoder"]["drop_path"] == 0.1
    assert variant.receipt.fresh_parts == ()
    assert variant.notes == (
        "tensors of the files that the model does not have: output.tied_module.weight",
    )
    digest = sha256((tmp_path / "consolidated.pth").read_bytes()).hexdigest()
    assert str(variant.receipt).splitlines()[1] == (
        f"projector: 4 tensors, 2,112 elements, original:{tmp_path}, sha256 {digest[:12]}"
    )


def test_asking_without_a_tokenizer_says_what_is_missing(tmp_path: Path) -> None:
    write_original(tmp_path, Size())
    with pytest.raises(TokenizerError) as caught:
        plm.load(tmp_path).ask("what moves?")
    assert str(tmp_path / "tokenizer.model") in str(caught.value)


def test_it_is_saved_as_one_of_ours_without_a_tokenizer(tmp_path: Path) -> None:
    write_original(tmp_path / "theirs", Size())
    variant = plm.load(tmp_path / "theirs")
    again = plm.load(variant.save(tmp_path / "ours"))
    ids = torch.arange(9)[None]
    with torch.no_grad():
        assert torch.equal(again.model(ids), variant.model(ids))


def test_what_a_file_may_have_beside_the_model(tmp_path: Path) -> None:
    extras = {
        "rope.freqs": torch.ones(4),
        "vision_model.proj": torch.ones(32, 8),
        "vision_model.ln_post.weight": torch.ones(32),
        "vision_model.attn_pool.probe": torch.ones(1, 32),
        "vision_model.transformer.resblocks.2.ls_1.gamma": torch.ones(32),
    }
    write_original(tmp_path, Size(), **extras)
    assert plm.load(tmp_path).notes == (
        "tensors of the files that the model does not have: output.tied_module.weight, "
        "rope.freqs, vision_model.proj and 3 more",
    )


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("layers.2.attention.wq.weight", "unexpected: 1"),
        ("output.weight", "unexpected: 1"),
        ("norm.weight", "of another shape: 1"),
    ],
)
def test_what_it_may_not_have(tmp_path: Path, name: str, fault: str) -> None:
    write_original(tmp_path, Size(), **{name: torch.ones(3)})
    with pytest.raises(CheckpointError) as caught:
        plm.load(tmp_path)
    assert fault in caught.value.what
    # in the words of the file
    assert name in caught.value.expected


def edit(directory: Path, **model: Any) -> None:
    params = params_of(Size(), **model)
    (directory / "params.json").write_text(json.dumps(params))


def test_the_switch_that_one_program_knows(tmp_path: Path) -> None:
    write_original(tmp_path, Size())
    note = "params.json has no high_freq_factor: {} is taken, where another published program takes"
    edit(tmp_path, use_scaled_rope=True, high_freq_factor=None, someones_key=3)
    variant = plm.load(tmp_path)
    assert variant.spec["decoder"]["rope_high_freq_factor"] == 4.0
    assert variant.notes[:2] == (
        f"{note.format(4)} 32",
        "params.json: nothing here knows model.someones_key",
    )
    edit(tmp_path, high_freq_factor=None)
    variant = plm.load(tmp_path)
    assert variant.spec["decoder"]["rope_high_freq_factor"] == 32.0
    assert variant.notes[0] == f"{note.format(32)} 4"
    edit(tmp_path, use_scaled_rope=False)
    with pytest.raises(UnsupportedError) as caught:
        plm.load(tmp_path)
    assert str(caught.value) == (
        "use_scaled_rope is false, and rope_scale_factor is 8.\n"
        f"  where:    {tmp_path / 'params.json'}: model\n"
        "  expected: one of them: the published programs read this differently\n"
        "  fix:      set rope_scale_factor to 1, or use_scaled_rope to true, as the model was "
        "trained"
    )


def test_a_switch_without_the_factor_it_switches(tmp_path: Path) -> None:
    write_original(tmp_path, Size())
    edit(tmp_path, use_scaled_rope=True, rope_scale_factor=None)
    with pytest.raises(UnsupportedError) as caught:
        plm.load(tmp_path)
    assert str(caught.value) == (
        "use_scaled_rope is true, and there is no rope_scale_factor.\n"
        f"  where:    {tmp_path / 'params.json'}: model\n"
        "  expected: both: one published program demands the factor, another takes 1, and Meta's "
        "own Llama takes 8\n"
        "  fix:      set rope_scale_factor as the model was trained, or use_scaled_rope to false"
    )


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("vision_model", "use_ln_post", True),
        ("vision_model", "pool_type", "attn"),
        ("vision_model", "use_rope2d", False),
        ("vision_model", "width", 0),
        ("model", "n_layers", "2"),
        ("model", "rope_theta", 1e300),
        ("model", "dim", True),
        ("model", "use_scaled_rope", 0),
        ("data", "vision_input_type", "tiles"),
    ],
)
def test_values_that_cannot_be_expressed_or_cannot_be_right(
    tmp_path: Path, section: str, key: str, value: object
) -> None:
    write_original(tmp_path, Size())
    params = params_of(Size())
    model = params["model"]
    {"model": model, "data": params["data"], "vision_model": model["vision_model"]}[section][
        key
    ] = value
    (tmp_path / "params.json").write_text(json.dumps(params))
    with pytest.raises((CheckpointError, UnsupportedError)) as caught:
        plm.load(tmp_path)
    assert key in str(caught.value)
    assert str(tmp_path / "params.json") in caught.value.where


def test_the_maps_and_changes_are_undone_by_their_inverses() -> None:
    model = small_hf(Size(), intermediate_size=96)
    expected = original_state(model, tied=True)
    del expected["output.tied_module.weight"]
    variant = plm.assemble({**TINY, "weights": None}, init="random")
    shapes = {name: tuple(t.shape) for name, t in variant.model.state_dict().items()}
    sizes = plm_sizes(shapes, head_dim=8)
    names, changes = original_keys(sizes), original_changes(sizes)
    assert {names[name] for name in shapes} == set(expected)
    for ours, shape in shapes.items():
        theirs = expected[names[ours]]
        change = changes.get(ours)
        if change is None:
            assert tuple(theirs.shape) == shape, ours
            continue
        assert change.shape(tuple(theirs.shape)) == shape
        assert change.inverse.shape(shape) == tuple(theirs.shape)
        assert torch.equal(change.inverse(change(theirs)), theirs)


TINY = {
    "vision_encoder": {
        "type": "pe", "dim": 32, "num_layers": 2, "num_heads": 2, "ffn_dim": 128, "image_size": 56,
    },
    "projector": {"type": "avg_pool_mlp"},
    "decoder": {
        "type": "llama", "dim": 32, "num_layers": 2, "vocab_size": 64, "max_positions": 512,
        "block": {"type": "prenorm_gqa_swiglu", "num_heads": 4, "num_kv_heads": 2, "ffn_dim": 96},
    },
    "tokenizer": {"type": "tiktoken", "path": "nowhere/tokenizer.model"},
}  # fmt: skip
