"""What files, cameras and codecs do to pixels, imitated at the size of a tile.

Training never touches a file: these few cheap operations stand for small pictures stretched up,
JPEG and video compression, blur and noise.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from random import Random

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from plm_components.data.render import noise


def wear(frames_FHW3: NDArray[np.uint8], lots: Random) -> NDArray[np.uint8]:
    """All frames of one medium, worn in the same way; uint8 ``(F, H, W, 3)``."""
    draw = lots.random()
    # every clip went through a codec, and few pictures through JPEG at a tile's size
    coded = 0.3 if len(frames_FHW3) == 1 else 0.45
    if draw < 0.1:
        side = lots.randint(40, 90)
        frames_FHW3 = _each(frames_FHW3, lambda image: _coarse(image, side))
    elif draw < coded:
        quality = lots.randint(25, 95)
        frames_FHW3 = _each(frames_FHW3, lambda image: _jpeg(image, quality))
    if lots.random() < 0.2:
        frames_FHW3 = _noisy(frames_FHW3, lots.uniform(1, 9), lots.getrandbits(30))
    return frames_FHW3


def _each(
    frames_FHW3: NDArray[np.uint8], change: Callable[[Image.Image], Image.Image]
) -> NDArray[np.uint8]:
    return np.stack([np.asarray(change(Image.fromarray(frame))) for frame in frames_FHW3])


def _coarse(image: Image.Image, side: int) -> Image.Image:
    small = image.resize((side, side), Image.Resampling.BILINEAR)
    return small.resize(image.size, Image.Resampling.BICUBIC)


def _jpeg(image: Image.Image, quality: int) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer).convert("RGB")


def _noisy(frames_FHW3: NDArray[np.uint8], sigma: float, seed: int) -> NDArray[np.uint8]:
    dirt = noise(seed, frames_FHW3.shape) * np.float32(sigma)
    return np.clip(frames_FHW3 + dirt + np.float32(0.5), 0, 255).astype(np.uint8)
