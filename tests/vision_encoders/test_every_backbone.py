"""What every encoder promises, on eighteen backbones, against their own libraries."""

from __future__ import annotations

import pytest
import torch

from plm_components.contracts import VisionEncoder
from plm_components.errors import ShapeError


def test_the_contract_is_there(case, encoder):
    assert isinstance(encoder, VisionEncoder)
    assert encoder.image_size == case.size
    assert case.size // encoder.patch_size == case.grid
    assert len(encoder.mean) == len(encoder.std) == 3


def test_native_tokens_are_the_librarys_own(case, encoder, tiles):
    pixels = tiles(2, 3, case.size, case.size)
    with torch.no_grad():
        tokens = encoder(pixels)
        expected = case.library_features(encoder.backbone, pixels)
    assert encoder.grid(case.size, case.size) == (case.grid, case.grid)
    assert tokens.shape == (2, case.grid**2, encoder.width)
    assert torch.equal(tokens, expected)


def test_another_size_is_the_librarys_own_or_refused(case, encoder, tiles):
    (height, width), outcome = case.other
    if isinstance(outcome, str):
        with pytest.raises(ShapeError) as caught:
            encoder.grid(height, width)
        with pytest.raises(ShapeError):
            encoder(tiles(1, 3, height, width))
        assert outcome in caught.value.expected
        assert caught.value.what == f"A {height}x{width} tile has no token grid here."
        assert f"use tiles of {case.size}x{case.size}" in caught.value.fix
        return
    assert encoder.grid(height, width) == outcome
    pixels = tiles(1, 3, height, width)
    with torch.no_grad():
        tokens = encoder(pixels)
        expected = case.library_features(encoder.backbone, pixels)
    assert tokens.shape == (1, outcome[0] * outcome[1], encoder.width)
    assert torch.equal(tokens, expected)


def test_a_gradient_reaches_every_parameter_but_the_named(case, encoder, tiles):
    encoder(tiles(2, 3, case.size, case.size)).square().sum().backward()
    without = tuple(name for name, p in encoder.named_parameters() if p.grad is None)
    assert without == encoder.unused_parameters == case.unused


def test_a_tile_does_not_depend_on_its_batch(case, encoder, tiles):
    pixels = tiles(3, 3, case.size, case.size)
    with torch.no_grad():
        together, alone = encoder(pixels), encoder(pixels[1:2])
    torch.testing.assert_close(together[1:2], alone, rtol=1e-5, atol=1e-5)


def test_no_tile_gives_no_token(case, encoder, tiles):
    with torch.no_grad():
        tokens = encoder(tiles(1, 3, case.size, case.size)[:0])
    assert tokens.shape == (0, case.grid**2, encoder.width)


def test_the_dtype_is_kept(case, encoder, tiles):
    pixels = tiles(1, 3, case.size, case.size)
    with torch.no_grad():
        expected = encoder(pixels)
        tokens = encoder.to(torch.bfloat16)(pixels.bfloat16())
    assert tokens.dtype == torch.bfloat16
    assert (tokens - expected).norm() / expected.norm() < 0.03


def test_built_on_meta_it_is_the_same_encoder(case, encoder, tiles):
    with torch.device("meta"):
        copy = case.build().eval()
    assert all(tensor.is_meta for tensor in copy.state_dict().values())
    copy.to_empty(device="cpu")
    persistent = copy.state_dict()
    with torch.no_grad():
        for name, buffer in copy.named_buffers():
            if name not in persistent:
                buffer.fill_(torch.nan if buffer.is_floating_point() else 0)
    copy.init_buffers()
    copy.load_state_dict(encoder.state_dict())
    pixels = tiles(1, 3, case.size, case.size)
    with torch.no_grad():
        assert torch.equal(copy(pixels), encoder(pixels))


def test_weights_come_from_the_generator_alone(case, encoder):
    torch.manual_seed(7)
    state = torch.get_rng_state()
    with torch.device("meta"):
        copy = case.build()
    copy.to_empty(device="cpu")
    copy.init_weights(torch.Generator().manual_seed(0))
    assert torch.equal(torch.get_rng_state(), state)
    same, first = copy.state_dict(), encoder.state_dict()
    assert all(torch.equal(same[name], first[name]) for name in first)
    copy.init_weights(torch.Generator().manual_seed(1))
    changed = [name for name in first if not torch.equal(copy.state_dict()[name], first[name])]
    assert len(changed) > len(first) // 10
    assert all(torch.isfinite(tensor).all() for tensor in copy.state_dict().values())
