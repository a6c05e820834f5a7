"""Pixels of a scene, at any size: one renderer for training tiles and for files."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from plm_components.data.motion import pose
from plm_components.data.outlines import REACH, distance
from plm_components.data.scene import Background, Scene, Thing

# grain is cut out of one sheet: drawing fresh noise would cost more than everything else
_SHEET = np.random.default_rng(20).standard_normal(1 << 20, dtype=np.float32)
_TILE = 112


def render_image(scene: Scene, width: int, height: int) -> NDArray[np.uint8]:
    """The picture, uint8 RGB ``(H, W, 3)``."""
    canvas_HW3 = _paint_background(scene.background, width, height, scene.seed)
    for thing in scene.things:
        _paint(canvas_HW3, thing, 0.0, scene)
    return _to_uint8(canvas_HW3)


def render_frames(
    scene: Scene, times: Sequence[float], width: int, height: int
) -> NDArray[np.uint8]:
    """The clip at these times (0 its first frame, 1 its last), uint8 RGB ``(F, H, W, 3)``."""
    empty_HW3 = _paint_background(scene.background, width, height, scene.seed)
    frames_FHW3 = np.empty((len(times), height, width, 3), dtype=np.uint8)
    for frame_HW3, time in zip(frames_FHW3, times, strict=True):
        canvas_HW3 = empty_HW3.copy()
        for thing in scene.things:
            _paint(canvas_HW3, thing, time, scene)
        frame_HW3[...] = _to_uint8(canvas_HW3)
    return frames_FHW3


def noise(seed: int, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Standard normal values, the same for the same seed."""
    wanted = math.prod(shape)
    start = seed * 7919 % len(_SHEET)
    if start + wanted <= len(_SHEET):
        return _SHEET[start : start + wanted].reshape(shape)
    return np.take(_SHEET, np.arange(start, start + wanted), mode="wrap").reshape(shape)


def _to_uint8(canvas_HW3: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.clip(canvas_HW3, 0.5, 255.5).astype(np.uint8)


def _paint_background(
    background: Background, width: int, height: int, seed: int
) -> NDArray[np.float32]:
    """``(H, W, 3)``, 0.5..255.5: half a level up, so that a cast to integers rounds."""
    near, far = (
        np.asarray(rgb, np.float32) * 255 + 0.5 for rgb in (background.near, background.far)
    )
    canvas_HW3 = np.empty((height, width, 3), np.float32)
    if background.near == background.far:
        canvas_HW3[...] = near
    else:
        dx, dy = math.cos(background.direction), math.sin(background.direction)
        ramp_x = np.linspace(-dx, dx, width, dtype=np.float32)
        ramp_y = np.linspace(-dy, dy, height, dtype=np.float32)
        share_HW = (ramp_x[None] + ramp_y[:, None]) / np.float32(2 * (abs(dx) + abs(dy))) + 0.5
        canvas_HW3[...] = near + share_HW[..., None] * (far - near)
    if background.grain:
        canvas_HW3 += noise(seed, (height, width, 1)) * np.float32(255 * background.grain)
    return canvas_HW3


def _paint(canvas_HW3: NDArray[np.float32], thing: Thing, time: float, scene: Scene) -> None:
    """Paints one thing over the canvas."""
    height, width = canvas_HW3.shape[:2]
    now = pose(thing.event, time)
    if not now.visible:
        return
    root = math.sqrt(scene.aspect)
    radius_x = thing.radius * now.scale * width / root
    radius_y = thing.radius * now.scale * height * root
    centre_x, centre_y = (thing.x + now.dx) * width, (thing.y + now.dy) * height
    left, right = _window(centre_x, radius_x, width)
    top, bottom = _window(centre_y, radius_y, height)
    x = (np.arange(left, right, dtype=np.float32) + np.float32(0.5 - centre_x)) / np.float32(
        radius_x
    )
    y = (np.arange(top, bottom, dtype=np.float32) + np.float32(0.5 - centre_y)) / np.float32(
        radius_y
    )
    turned_x, turned_y = _turned(x[None], y[:, None], thing.angle + now.turn)
    away = distance(thing.shape, turned_x, turned_y, thing.style)
    # softness is given for a tile of 112; a large picture has as soft edges once it is a tile
    soft = scene.edge_px / _TILE / (thing.radius * now.scale)
    window = canvas_HW3[top:bottom, left:right]
    if thing.outline is not None:
        rim = np.float32(0.9 / _TILE / (thing.radius * now.scale))
        _blend(window, away - rim, soft, thing.outline)
        away = away + rim
    _blend(window, away, soft, thing.rgb)


def _window(centre: float, radius: float, size: int) -> tuple[int, int]:
    low = max(0, int(centre - REACH * radius - 2))
    return low, max(low, min(size, int(centre + REACH * radius + 3)))


def _turned(
    x: NDArray[np.float32], y: NDArray[np.float32], angle: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    cos, sin = np.float32(math.cos(angle)), np.float32(math.sin(angle))
    return x * cos + y * sin, y * cos - x * sin


def _blend(
    window_HW3: NDArray[np.float32],
    away_HW: NDArray[np.float32],
    soft: float,
    rgb: tuple[float, float, float],
) -> None:
    cover_HW = np.clip(np.float32(0.5) - away_HW * np.float32(1 / soft), 0, 1)
    shade = np.asarray(rgb, np.float32) * 255 + np.float32(0.5)
    window_HW3 += cover_HW[..., None] * (shade - window_HW3)
