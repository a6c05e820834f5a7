"""The native Perception Encoder against timm, and against its formulas written out again."""

from __future__ import annotations

import math
from typing import Any

import pytest
import timm
import torch
from torch import Tensor

import plm_components as plm
from plm_components.assembly.build import PartBuilder
from plm_components.assembly.wiring import Surroundings
from plm_components.contracts import Full, VisionEncoder
from plm_components.errors import ShapeError, SpecError
from plm_components.kernels.attention.sdpa import SDPAAttention
from plm_components.spec import resolve_part
from plm_components.vision_encoders.pe import PEVisionEncoder
from plm_components.zoo import default_zoo

# the published encoders at the size of a test: name in timm, options here
SHAPES = {
    "vit_pe_lang_large_patch14_448": {"class_token": True},
    "vit_pe_lang_gigantic_patch14_448": {"class_token": False},
}
SMALL = {"dim": 48, "num_layers": 3, "num_heads": 2, "ffn_dim": 112, "image_size": 56}
OFF_NATIVE = [(56, 84), (84, 56), (14, 28), (98, 98), (14, 112)]


@pytest.fixture(params=SHAPES)
def model(request: pytest.FixtureRequest) -> str:
    return request.param


def build(**options: Any) -> PEVisionEncoder:
    """As the assembler builds it from a spec."""
    part = resolve_part("vision_encoder", {"type": "pe", **options}, default_zoo(), path="it")
    encoder: PEVisionEncoder = PartBuilder({}).build(part, Surroundings("it"))
    return encoder


def random(seed: int = 0, **options: Any) -> PEVisionEncoder:
    """Weights wide enough that every one of them shows in the output."""
    encoder = build(**{**SMALL, **options}).eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in encoder.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            gain = name.split(".")[-1] == "weight" and "norm" in name
            parameter.copy_(gain + 0.3 * noise if parameter.ndim < 2 or gain else 0.15 * noise)
    return encoder


def by_timm(model: str, encoder: PEVisionEncoder, **arguments: Any) -> Any:
    """The model of timm with the same weights, mapped one to one."""
    side = encoder.image_size // 14
    sizes = {
        "embed_dim": encoder.width,
        "depth": len(encoder.blocks),
        "num_heads": 2,
        "mlp_ratio": 112 / encoder.width,
        "img_size": encoder.image_size,
        "ref_feat_shape": (side, side),
    }
    oracle = timm.create_model(model, num_classes=0, global_pool="", **{**sizes, **arguments})
    if encoder.blocks[0].gamma_1 is None:  # create_model drops arguments that are None
        for block in oracle.blocks:
            block.gamma_1 = block.gamma_2 = None
    oracle.load_state_dict(encoder.state_dict())
    return oracle.eval()


def tokens_of(oracle: Any, pixels: Tensor) -> Tensor:
    return oracle.forward_features(pixels)[:, oracle.num_prefix_tokens :]


def pixels(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def restated(encoder: PEVisionEncoder, images: Tensor, num_heads: int = 2) -> Tensor:
    """The published formulas in float64, sharing no line with the encoder but its weights."""
    w = {name: tensor.double() for name, tensor in encoder.state_dict().items()}
    has_class = "cls_token" in w
    rows, cols = images.shape[2] // 14, images.shape[3] // 14
    cut = torch.nn.functional.unfold(images.double(), 14, stride=14).mT
    x = cut @ w["patch_embed.proj.weight"].flatten(1).T
    if has_class:
        x = torch.cat([w["cls_token"].expand(len(x), 1, -1), x], 1)
    x = x + resampled(w["pos_embed"][0], rows, cols, has_class)
    x = normed(x, w, "norm_pre")
    turn = turns(rows, cols, x.shape[-1] // num_heads, has_class)
    for index in range(len(encoder.blocks)):
        at = f"blocks.{index}."
        y = linear(normed(x, w, at + "norm1"), w, at + "attn.qkv")
        q, k, v = (part.view(*x.shape[:2], num_heads, -1) for part in y.chunk(3, -1))
        q, k = (
            torch.view_as_real(torch.view_as_complex(t.unflatten(-1, (-1, 2))) * turn).flatten(3)
            for t in (q, k)
        )
        scores = torch.einsum("blhc,bshc->bhls", q, k) / math.sqrt(q.shape[-1])
        mixed = torch.einsum("bhls,bshc->blhc", scores.softmax(-1), v).flatten(2)
        x = x + w.get(at + "gamma_1", 1) * linear(mixed, w, at + "attn.proj")
        y = linear(normed(x, w, at + "norm2"), w, at + "mlp.fc1")
        y = y * (1 + torch.erf(y / math.sqrt(2))) / 2
        x = x + w.get(at + "gamma_2", 1) * linear(y, w, at + "mlp.fc2")
    return x[:, int(has_class) :]


def linear(x: Tensor, w: dict[str, Tensor], name: str) -> Tensor:
    return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]


def normed(x: Tensor, w: dict[str, Tensor], name: str) -> Tensor:
    centred = x - x.mean(-1, keepdim=True)
    scaled = centred / (centred.square().mean(-1, keepdim=True) + 1e-5).sqrt()
    return scaled * w[f"{name}.weight"] + w[f"{name}.bias"]


def resampled(table: Tensor, rows: int, cols: int, has_class: bool) -> Tensor:
    patches = table[int(has_class) :]
    side = math.isqrt(len(patches))
    by_row, by_col = between(side, rows), between(side, cols)
    moved = torch.einsum("ig,jk,gkc->ijc", by_row, by_col, patches.view(side, side, -1))
    return torch.cat([table[: int(has_class)], moved.flatten(0, 1)])


def between(old: int, new: int) -> Tensor:
    """``(new, old)`` weights of linear interpolation between pixel centres, no antialiasing."""
    weights = torch.zeros(new, old, dtype=torch.float64)
    for index in range(new):
        place = max((index + 0.5) * old / new - 0.5, 0.0)
        low = min(int(place), old - 1)
        weights[index, low] += 1 - (place - low)
        weights[index, min(low + 1, old - 1)] += place - low
    return weights


def turns(rows: int, cols: int, head_dim: int, has_class: bool) -> Tensor:
    """``(L, 1, head_dim / 2)`` unit complex numbers: columns first, then rows."""
    frequencies = [10000 ** (-2 * i / (head_dim / 2)) for i in range(head_dim // 4)]
    start = int(has_class)
    angles = [
        [(col + start) * f for f in frequencies] + [(row + start) * f for f in frequencies]
        for row in range(rows)
        for col in range(cols)
    ]
    still = [[0.0] * (head_dim // 2)] * start
    table = torch.tensor(still + angles, dtype=torch.float64)
    return torch.polar(torch.ones_like(table), table)[:, None]


def test_the_contract_is_there():
    encoder = random()
    assert isinstance(encoder, VisionEncoder)
    assert (encoder.width, encoder.patch_size, encoder.image_size) == (48, 14, 56)
    assert encoder.mean == encoder.std == (0.5, 0.5, 0.5)
    assert encoder.grid(56, 84) == (4, 6)
    assert encoder.unused_parameters == ()
    assert encoder(pixels(1, 3, 56, 56)[:0]).shape == (0, 16, 48)


@pytest.mark.parametrize("image_size", [56, 70])
@pytest.mark.parametrize("layer_scale", [0.1, None])
@pytest.mark.parametrize("off_native", ["reference", "timm"])
def test_native_tokens_are_timms_to_the_bit(model, image_size, layer_scale, off_native):
    encoder = random(
        **SHAPES[model], image_size=image_size, layer_scale=layer_scale, off_native=off_native
    )
    oracle = by_timm(model, encoder)
    images = pixels(2, 3, image_size, image_size)
    with torch.no_grad():
        assert torch.equal(encoder(images), tokens_of(oracle, images))


def test_gradients_are_timms(model):
    encoder = random(**SHAPES[model]).train()
    oracle = by_timm(model, encoder).train()
    images = pixels(2, 3, 56, 56)
    encoder(images).square().sum().backward()
    tokens_of(oracle, images).square().sum().backward()
    theirs = dict(oracle.named_parameters())
    for name, parameter in encoder.named_parameters():
        assert parameter.grad.any(), name
        scale = float(theirs[name].grad.abs().max())
        torch.testing.assert_close(parameter.grad, theirs[name].grad, rtol=0, atol=1e-6 * scale)


@pytest.mark.parametrize("size", OFF_NATIVE, ids=str)
def test_off_native_timm_is_timms_to_the_bit(model, size):
    encoder = random(**SHAPES[model], off_native="timm")
    oracle = by_timm(model, encoder, dynamic_img_size=True)
    images = pixels(2, 3, *size)
    with torch.no_grad():
        assert torch.equal(encoder(images), tokens_of(oracle, images))


def test_a_single_column_is_resampled_right_where_torch_errs(model):
    # antialiased, channels last and one column wide, torch 2.15 gives nonsense, and timm with it
    encoder = random(**SHAPES[model], off_native="timm")
    prefix, table = encoder.pos_embed.detach().split([encoder.pos_embed.shape[1] - 16, 16], dim=1)
    square = table.double().mT.reshape(1, -1, 4, 4).contiguous()
    column = torch.nn.functional.interpolate(square, (8, 1), mode="bicubic", antialias=True)
    oracle = timm.create_model(
        model,
        num_classes=0,
        global_pool="",
        embed_dim=48,
        depth=3,
        num_heads=2,
        mlp_ratio=112 / 48,
        img_size=(112, 14),
        ref_feat_shape=(4, 4),
    ).eval()
    resized = torch.cat([prefix, column.flatten(2).mT.float()], dim=1)
    oracle.load_state_dict({**encoder.state_dict(), "pos_embed": resized})
    images = pixels(2, 3, 112, 14)
    with torch.no_grad():
        tokens, expected = encoder(images), tokens_of(oracle, images)
    torch.testing.assert_close(tokens, expected, rtol=0, atol=2e-6 * float(expected.abs().max()))


@pytest.mark.parametrize("size", [(56, 56), *OFF_NATIVE, (112, 14)], ids=str)
def test_reference_positions_follow_the_published_formulas(model, size):
    encoder = random(**SHAPES[model])
    images = pixels(2, 3, *size)
    with torch.no_grad():
        tokens, expected = encoder(images), restated(encoder, images)
    assert tokens.shape == (2, size[0] // 14 * (size[1] // 14), 48)
    scale = float(expected.abs().max())
    torch.testing.assert_close(tokens.double(), expected, rtol=0, atol=2e-6 * scale)


@pytest.mark.parametrize("size", OFF_NATIVE, ids=str)
def test_the_two_treatments_differ_off_the_native_grid_alone(model, size):
    reference, other = (random(**SHAPES[model], off_native=mode) for mode in ("reference", "timm"))
    native, images = pixels(1, 3, 56, 56), pixels(1, 3, *size)
    with torch.no_grad():
        assert torch.equal(reference(native), other(native))
        found, scaled = reference(images), other(images)
    assert (found - scaled).norm() / found.norm() > 0.01


def test_bf16_is_no_further_from_fp32_than_timm(model):
    # timm as transformers runs it: rotary tables of a fixed size, rounded with the weights
    ours, theirs = [], []
    for seed in range(4):
        encoder = random(seed, **SHAPES[model], dim=128, image_size=112)
        oracle = by_timm(model, encoder).bfloat16()
        images = pixels(2, 3, 112, 112, seed=seed).bfloat16()
        with torch.no_grad():
            exact = encoder(images.float())
            low, their_low = encoder.bfloat16()(images), tokens_of(oracle, images)
        assert low.dtype == their_low.dtype == torch.bfloat16
        for errors, found in ((ours, low), (theirs, their_low)):
            errors.append(float((found - exact).square().mean() / exact.square().mean()))
    assert sum(ours) <= sum(theirs)
    assert math.sqrt(sum(ours) / len(ours)) < 0.02


def test_bf16_is_timms_to_the_bit_where_its_tables_are_fp32(model):
    encoder = random(**SHAPES[model], off_native="timm")
    oracle = by_timm(model, encoder, dynamic_img_size=True).bfloat16()
    images = pixels(2, 3, 84, 98).bfloat16()
    with torch.no_grad():
        assert torch.equal(encoder.bfloat16()(images), tokens_of(oracle, images))


def test_rotary_tables_stay_in_float32():
    exact, rounded = random(), random().to(torch.bfloat16)
    grid = exact.grid(56, 84)
    for one, other in zip(exact.rotary(grid), rounded.rotary(grid), strict=True):
        assert other.dtype == torch.float32
        assert torch.equal(one, other)


@pytest.mark.parametrize("size", [(56, 56), (84, 28)], ids=str)
@pytest.mark.parametrize("off_native", ["reference", "timm"])
def test_built_on_meta_it_is_the_same_encoder(model, size, off_native):
    direct = random(**SHAPES[model], off_native=off_native)
    with torch.device("meta"):
        late = build(**SMALL, **SHAPES[model], off_native=off_native).eval()
        assert late(torch.empty(1, 3, *size)).is_meta
    assert all(tensor.is_meta for tensor in (*late.parameters(), *late.buffers()))
    late.to_empty(device="cpu")
    with torch.no_grad():
        for tensor in (*late.parameters(), *late.buffers()):
            tensor.fill_(torch.nan)
    late.init_buffers()
    late.load_state_dict(direct.state_dict())
    images = pixels(1, 3, *size)
    with torch.no_grad():
        assert torch.equal(late(images), direct(images))


@pytest.mark.parametrize(("layer", "built"), [(0, 1), (1, 2), (-1, 3), (-2, 2), (-3, 1)])
def test_an_inner_block_is_taken_and_those_behind_are_not_built(model, layer, built):
    whole, inner = random(**SHAPES[model]), random(**SHAPES[model], layer=layer)
    assert len(inner.blocks) == built
    state = whole.state_dict()
    inner.load_state_dict({name: state[name] for name in inner.state_dict()})
    images = pixels(2, 3, 56, 84)
    oracle = by_timm(model, random(**SHAPES[model], off_native="timm"), dynamic_img_size=True)
    oracle.load_state_dict(state)
    inner.off_native = "timm"
    with torch.no_grad():
        taken = oracle.forward_intermediates(
            images, indices=[layer], intermediates_only=True, output_fmt="NLC"
        )[0]
        assert torch.equal(inner(images), taken)


@pytest.mark.parametrize(
    ("model", "options", "parameters", "tensors"),
    [
        ("vit_pe_lang_large_patch14_448", {}, 291_415_040, 327),
        (
            "vit_pe_lang_gigantic_patch14_448",
            {"dim": 1536, "num_layers": 47, "ffn_dim": 8960, "class_token": False},
            1_740_922_624,
            662,
        ),
    ],
)
def test_published_sizes_have_timms_tensors(model, options, parameters, tensors):
    with torch.device("meta"):
        encoder = build(**options)
        oracle = timm.create_model(model, num_classes=0, global_pool="")
    ours = {name: tensor.shape for name, tensor in encoder.state_dict().items()}
    assert sum(p.numel() for p in encoder.parameters()) == parameters
    assert len(ours) == tensors
    assert ours == {name: tensor.shape for name, tensor in oracle.state_dict().items()}
    assert encoder.grid(448, 448) == (32, 32)


def test_plm_1b_has_its_published_size_with_it():
    report = plm.check("plm-1b")
    assert report.ok, report
    assert report.totals.parameters == 1_533_524_992


@pytest.mark.parametrize("name", [entry.name for entry in plm.list_components("attention")])
def test_every_attention_kernel_gives_the_answer_of_the_oracle(name):
    entry = default_zoo().get("attention", name)
    if entry.status != "available":
        pytest.skip(f"attention/{name}: {entry.reason}")
    support = entry.load().support
    if "cpu" not in support.devices or torch.float32 not in support.dtypes:
        pytest.skip(f"attention/{name} does no float32 on a CPU")
    if Full not in support.masks:
        pytest.skip(f"attention/{name} does no Full mask, and an encoder asks for no other")
    oracle, encoder = (random(dim=128, ffn_dim=64, attention=kernel) for kernel in ("eager", name))
    images = pixels(2, 3, 56, 84)
    with torch.no_grad():
        expected, tokens = oracle(images), encoder(images)
    allowed = 2e-6 if support.precision == "exact" else 1e-2
    scale = float(expected.abs().max())
    torch.testing.assert_close(tokens, expected, rtol=0, atol=allowed * scale)


def test_drop_path_is_timms_at_one_rate_in_every_block(model):
    encoder = random(**SHAPES[model], drop_path=0.4).train()
    oracle = by_timm(model, encoder, drop_path_rate=0.4).train()
    for block in oracle.blocks:
        block.drop_path1 = timm.layers.DropPath(0.4)
        block.drop_path2 = timm.layers.DropPath(0.4)
    images = pixels(16, 3, 56, 56)
    with torch.no_grad():
        torch.manual_seed(5)
        first = encoder(images)
        torch.manual_seed(5)
        assert torch.equal(tokens_of(oracle, images), first)
        torch.manual_seed(6)
        assert not torch.equal(encoder(images), first)


def test_drop_path_does_nothing_outside_training():
    still, dropping = random(), random(drop_path=0.9)
    images = pixels(4, 3, 56, 56)
    with torch.no_grad():
        assert torch.equal(dropping(images), still(images))
        state = torch.get_rng_state()
        still.train()(images)
    assert torch.equal(torch.get_rng_state(), state)


def test_without_layer_scale_there_are_no_gates():
    bare, gated = build(**SMALL, layer_scale=None), build(**SMALL, layer_scale=0.25)
    gates = set(gated.state_dict()) - set(bare.state_dict())
    assert gates == {f"blocks.{n}.gamma_{which}" for n in range(3) for which in (1, 2)}
    assert all(bool((gated.state_dict()[gate] == 0.25).all()) for gate in gates)


def test_fresh_weights_are_drawn_as_published():
    encoder = build(dim=256, num_layers=1, num_heads=4, ffn_dim=512, image_size=112)
    encoder.init_weights(torch.Generator().manual_seed(0))
    state = encoder.state_dict()
    assert state["pos_embed"].std() == pytest.approx(256**-0.5, rel=0.05)
    assert state["cls_token"].std() == pytest.approx(256**-0.5, rel=0.2)
    qkv, fc2 = state["blocks.0.attn.qkv.weight"], state["blocks.0.mlp.fc2.weight"]
    assert qkv.abs().max() == pytest.approx(math.sqrt(6 / (4 * 256)), rel=0.01)
    assert fc2.abs().max() == pytest.approx(512**-0.5, rel=0.01)
    for zero in ("blocks.0.attn.qkv.bias", "blocks.0.attn.proj.bias", "norm_pre.bias"):
        assert not state[zero].any()


def test_weights_come_from_the_generator_alone():
    torch.manual_seed(7)
    first, second = build(**SMALL), build(**SMALL)
    state = torch.get_rng_state()
    for encoder in (first, second):
        encoder.init_weights(torch.Generator().manual_seed(3))
    assert torch.equal(torch.get_rng_state(), state)
    same = second.state_dict()
    assert all(torch.equal(tensor, same[name]) for name, tensor in first.state_dict().items())


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (
            {"num_heads": 5, "dim": 50},
            "50 channels over 5 heads give no multiple of 4 channels a head.\n"
            "  where:    vision_encoder/pe, option num_heads\n"
            "  expected: heads of 4, 8, 12, … channels, since pairs of them turn with row and "
            "column\n"
            "  fix:      set vision_encoder.num_heads to a divisor of dim / 4",
        ),
        (
            {"image_size": 60},
            "A tile of 60 pixels is no whole number of patches of 14.\n"
            "  where:    vision_encoder/pe, option image_size\n"
            "  expected: a multiple of patch_size=14\n"
            "  fix:      set vision_encoder.image_size=70",
        ),
        (
            {"drop_path": 1.0},
            "drop_path is 1.0.\n"
            "  where:    vision_encoder/pe, option drop_path\n"
            "  expected: a chance from 0 up to, but not including, 1\n"
            "  fix:      set vision_encoder.drop_path=0.1, as PLM trains with, or 0",
        ),
        (
            {"num_layers": 0},
            "num_layers is 0.\n"
            "  where:    vision_encoder/pe, option num_layers\n"
            "  expected: an integer of at least 1\n"
            "  fix:      set vision_encoder.num_layers to 1 or more",
        ),
        (
            {"layer": 3},
            "layer is 3, and there are 3.\n"
            "  where:    vision_encoder/pe, option layer\n"
            "  expected: an integer from -3 to 2\n"
            "  fix:      set vision_encoder.layer=-1 for the last",
        ),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_options_that_do_not_fit_are_refused(options, text):
    with pytest.raises(SpecError) as caught:
        PEVisionEncoder(attention=SDPAAttention(2, 2, 24), **{**SMALL, **options})
    assert str(caught.value) == text


@pytest.mark.parametrize("size", [(60, 56), (56, 13), (0, 56)], ids=str)
def test_a_tile_of_broken_patches_is_refused(size):
    encoder = random()
    text = (
        f"A {size[0]}x{size[1]} tile has no token grid here.\n"
        f"  where:    vision_encoder/pe, tile of {size[0]}x{size[1]} pixels\n"
        "  expected: sides that are multiples of patch_size=14\n"
        "  fix:      use tiles of 56x56"
    )
    for attempt in (lambda: encoder.grid(*size), lambda: encoder(torch.zeros(1, 3, *size))):
        with pytest.raises(ShapeError) as caught:
            attempt()
        assert str(caught.value) == text


def test_pixels_that_are_no_tiles_are_refused():
    with pytest.raises(ShapeError, match=r"Pixels of shape \(1, 1, 56, 56\) are not tiles"):
        random()(torch.zeros(1, 1, 56, 56))
