"""What frame transforms promise: uint8 tiles, each frame by itself, colours and places kept."""

from __future__ import annotations

import torch
from torch import Tensor

from plm_components.testing.outcome import expect
from plm_components.testing.roster import check
from plm_components.testing.subject import Subject

_SIZES = ((32, 32), (48, 90), (7, 200), (1, 1))


@check("frame_transform")
def tiles_are_uint8(subject: Subject) -> None:
    """uint8 (F, 3, H, W) becomes uint8 (F, 3, S, S)."""
    part = subject.build()
    side = subject.wired()["tile_size"]
    expect(part.tile_size == side, f"tile_size is {part.tile_size}, {side} was wired")
    for height, width in _SIZES:
        tiles = part(_frames(3, height, width))
        right = tuple(tiles.shape) == (3, 3, side, side) and tiles.dtype == torch.uint8
        expect(right, f"{height}x{width}: {tuple(tiles.shape)} {tiles.dtype}")


@check("frame_transform")
def frames_do_not_mix(subject: Subject) -> None:
    """A frame alone becomes what it becomes within a clip, bit for bit."""
    part = subject.build()
    frames = _frames(4, 48, 90)
    alone = torch.cat([part(frames[n : n + 1]) for n in range(4)])
    expect(torch.equal(part(frames), alone), "a frame depends on its neighbours")


@check("frame_transform")
def colours_kept(subject: Subject) -> None:
    """A frame of one colour keeps it: no wrap-around, no normalisation, channels in order."""
    part = subject.build()
    for colour in ((200, 30, 90), (255, 255, 255), (0, 0, 0)):
        value_311 = torch.tensor(colour, dtype=torch.uint8)[:, None, None]
        tile = part(value_311.expand(3, 48, 90)[None].contiguous())[0].int()
        share = float(((tile - value_311.int()).abs().amax(0) <= 2).float().mean())
        # a transform may pad
        expect(share >= 0.2, f"{share:.0%} of the pixels of a frame of colour {colour} have it")


@check("frame_transform")
def places_kept(subject: Subject) -> None:
    """Right stays right, and down stays down."""
    part = subject.build()
    frame = torch.zeros(1, 3, 64, 64, dtype=torch.uint8)
    frame[0, 0, :, 32:] = 250
    frame[0, 1, 32:] = 250
    tile = part(frame)[0].float()
    middle = tile.shape[-1] // 2
    right = tile[0, :, middle:].mean() - tile[0, :, :middle].mean()
    down = tile[1, middle:].mean() - tile[1, :middle].mean()
    expect(
        float(right) > 50 and float(down) > 50,
        f"red right by {right:.0f}, green down by {down:.0f}",
    )


@check("frame_transform")
def deterministic(subject: Subject) -> None:
    """The same frames give the same tiles, and are left as they were."""
    part = subject.build()
    frames = _frames(2, 48, 90)
    before = frames.clone()
    expect(torch.equal(part(frames), part(frames)), "two runs differ")
    expect(torch.equal(frames, before), "the frames were written to")


def _frames(count: int, height: int, width: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, 3, height, width), generator=generator).to(torch.uint8)
