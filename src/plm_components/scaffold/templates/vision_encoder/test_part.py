"""What this encoder does beyond its contract."""

from __future__ import annotations

import pytest
import torch
from plm_components.errors import SpecError

from plm_my_part.my_part import MyPart as Part


def built(**options: int) -> Part:
    part = Part(dim=24, patch_size=4, image_size=16, **options)
    part.init_weights(torch.Generator().manual_seed(0))
    return part.eval()


def test_a_token_is_its_own_patch_and_no_other() -> None:
    part, pixels = built(), torch.randn(1, 3, 8, 12)
    alone = part(pixels[:, :, 4:8, 8:12])
    torch.testing.assert_close(part(pixels)[:, 5:6], alone)


def test_an_earlier_layer_is_a_shorter_encoder() -> None:
    pixels = torch.randn(1, 3, 8, 8)
    long, short = built(num_layers=3, layer=0), built(num_layers=1)
    short.load_state_dict(long.state_dict())
    assert torch.equal(long(pixels), short(pixels))


def test_a_layer_it_does_not_have_is_refused() -> None:
    with pytest.raises(SpecError, match="no layer 2 of 2"):
        built(layer=2)
