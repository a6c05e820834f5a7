"""What each kind is wired with, and from where."""

from types import SimpleNamespace

import pytest

from plm_components.assembly.wiring import Surroundings, wire
from plm_components.errors import ContractError
from plm_components.zoo import KINDS

ENCODER = SimpleNamespace(width=48, image_size=56)
DECODER = SimpleNamespace(width=32)


def wired(kind: str, **enclosing: int) -> dict[str, int]:
    around = Surroundings("decoder.block.attention", ENCODER, DECODER, enclosing, layer_index=3)
    return wire(kind, around)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_gets_the_names_of_its_contract_in_order(kind: str) -> None:
    assert tuple(wired(kind, dim=32, num_heads=4)) == KINDS[kind].wired


def test_a_projector_joins_encoder_and_decoder() -> None:
    assert wired("projector") == {"in_dim": 48, "out_dim": 32}


@pytest.mark.parametrize("kind", ["image_tiler", "frame_transform"])
def test_tiles_are_as_large_as_the_encoder_takes(kind: str) -> None:
    assert wired(kind) == {"tile_size": 56}


def test_a_block_gets_the_decoders_width_and_its_place() -> None:
    assert wired("decoder_block", dim=32) == {"dim": 32, "layer_index": 3}


@pytest.mark.parametrize(
    ("enclosing", "heads"),
    [
        ({"dim": 32, "num_heads": 4, "num_kv_heads": 2, "head_dim": 16}, (4, 2, 16)),
        ({"dim": 32, "num_heads": 4, "num_kv_heads": 2}, (4, 2, 8)),
        ({"dim": 32, "num_heads": 4, "head_dim": None}, (4, 4, 8)),
        ({"in_dim": 48, "out_dim": 32, "num_heads": 8}, (8, 8, 4)),
    ],
)
def test_attention_gets_heads_from_the_part_that_holds_it(
    enclosing: dict[str, int], heads: tuple[int, int, int]
) -> None:
    assert tuple(wired("attention", **enclosing).values()) == heads


@pytest.mark.parametrize("num_heads", [5, 0, -4])
def test_heads_that_do_not_divide_the_width(num_heads: int) -> None:
    with pytest.raises(ContractError) as caught:
        wired("attention", dim=32, num_heads=num_heads)
    assert str(caught.value) == (
        f"32 channels do not divide into {num_heads} heads.\n"
        "  where:    decoder.block.num_heads\n"
        "  expected: a divisor of 32\n"
        "  fix:      set num_heads to a divisor of the width, or say head_dim"
    )


@pytest.mark.parametrize(
    ("kind", "enclosing", "lacking"),
    [
        ("attention", {"dim": 32}, "num_heads"),
        ("attention", {"num_heads": 4}, "dim or head_dim"),
        ("decoder_block", {}, "dim"),
    ],
)
def test_a_holder_that_lacks_what_is_wired(
    kind: str, enclosing: dict[str, int], lacking: str
) -> None:
    with pytest.raises(ContractError) as caught:
        wired(kind, **enclosing)
    assert str(caught.value) == (
        f"decoder.block.attention is wired from {lacking}, which decoder.block does not have.\n"
        "  where:    decoder.block.attention\n"
        f"  expected: an option {lacking} of the part that holds it\n"
        f"  fix:      add {lacking} to that part's constructor, or take the nested part out of it"
    )
