from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from transformers.models.perception_lm.image_processing_perception_lm import (
    PerceptionLMImageProcessor,
)

from plm_components.contracts import TilePlan
from plm_components.errors import SpecError
from plm_components.image_tilers.plm_tiles import PLMTilesTiler


def noise(width: int, height: int) -> Image.Image:
    """Smooth enough that two bicubic resizers differ by rounding only."""
    small = np.random.default_rng(0).integers(0, 256, (9, 9, 3), dtype=np.uint8)
    return Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)


def rough(width: int, height: int) -> Image.Image:
    """Every pixel by itself."""
    draw = np.random.default_rng(width)
    return Image.fromarray(draw.integers(0, 256, (height, width, 3), dtype=np.uint8))


def photo(width: int, height: int) -> Image.Image:
    """Edges, gradients and grain."""
    image = noise(width, height)
    ImageDraw.Draw(image).ellipse((0, 0, width // 2, height // 2), "white", "black", 3)
    return Image.blend(image, rough(width, height), 0.1)


PUBLISHED = [
    ((100, 100), (6, 6), 37),
    ((224, 224), (6, 6), 37),
    ((448, 448), (6, 6), 37),
    ((500, 450), (6, 6), 37),
    ((640, 480), (7, 5), 36),
    ((800, 600), (7, 5), 36),
    ((1024, 768), (7, 5), 36),
    ((1280, 427), (9, 4), 37),
    ((1920, 1080), (8, 4), 33),
    ((4000, 3000), (4, 3), 13),
    ((3000, 4000), (4, 5), 21),
    ((5000, 500), (18, 2), 37),
    ((300, 800), (4, 9), 37),
    ((10000, 100), (36, 1), 37),
]


@pytest.mark.parametrize(("size", "canvas", "chunks"), PUBLISHED)
def test_the_published_canvases(
    size: tuple[int, int], canvas: tuple[int, int], chunks: int
) -> None:
    assert PLMTilesTiler(448).plan(*size) == TilePlan(chunks, *canvas, thumbnail=True)


@pytest.mark.parametrize("max_tiles", [4, 9, 16, 36])
def test_canvases_are_those_of_transformers(max_tiles: int) -> None:
    theirs = PerceptionLMImageProcessor(max_num_tiles=max_tiles)
    tiler = PLMTilesTiler(448, max_tiles=max_tiles)
    draw = random.Random(max_tiles)
    for _ in range(500):
        # evenly over orders of magnitude, 10 to 6000 pixels
        width, height = (round(10 * 600 ** draw.random()) for _ in range(2))
        expected = theirs._fit_image_to_canvas(
            img_width=width, img_height=height, tile_size=448
        ) or theirs._find_closest_aspect_ratio(
            img_width=width, img_height=height, tile_size=448
        )  # fmt: skip
        plan = tiler.plan(width, height)
        assert (plan.columns, plan.rows) == expected, (width, height)


def transformers_tiles(image: Image.Image, tile_size: int, max_tiles: int) -> torch.Tensor:
    processor = PerceptionLMImageProcessor(max_num_tiles=max_tiles, tile_size=tile_size)
    found = processor(image, do_rescale=False, do_normalize=False, return_tensors="pt")
    pixels: torch.Tensor = found["pixel_values"][0]
    return pixels


SIZES = [(300, 200), (640, 480), (90, 31), (56, 1000)]


@pytest.mark.parametrize("kind", ["smooth", "photo", "noise"])
@pytest.mark.parametrize("size", SIZES)
def test_pil_and_transformers_differ_by_rounding(kind: str, size: tuple[int, int]) -> None:
    image = {"smooth": noise, "photo": photo, "noise": rough}[kind](*size)
    expected = transformers_tiles(image, 56, 6)
    tiles = PLMTilesTiler(56, max_tiles=6)(image)
    assert tiles.shape == expected.shape
    error = (tiles.int() - expected.int()).abs()
    assert error.max() <= 2
    assert (error > 0).float().mean() < 0.01


@pytest.mark.parametrize("size", [*SIZES, (56, 56), (112, 168)])
def test_torchvisions_resize_gives_the_very_tiles_of_transformers(size: tuple[int, int]) -> None:
    tiles = PLMTilesTiler(56, max_tiles=6, resize="torchvision")(rough(*size))
    assert torch.equal(tiles, transformers_tiles(rough(*size), 56, 6))


def test_tiles_are_pils_bicubic_thumbnail_first_row_by_row() -> None:
    image = noise(80, 50)
    tiler = PLMTilesTiler(28, max_tiles=6)
    plan = tiler.plan(80, 50)
    assert (plan.columns, plan.rows) == (3, 2)
    tiles = tiler(image)
    bicubic = Image.Resampling.BICUBIC
    canvas = image.resize((3 * 28, 2 * 28), bicubic)
    boxes = [(c * 28, r * 28, c * 28 + 28, r * 28 + 28) for r in range(2) for c in range(3)]
    expected = [image.resize((28, 28), bicubic), *(canvas.crop(box) for box in boxes)]
    stacked = np.stack([np.asarray(tile) for tile in expected]).transpose(0, 3, 1, 2)
    assert torch.equal(tiles, torch.from_numpy(stacked))
    assert tiles.dtype == torch.uint8


@pytest.mark.parametrize("size", [(1, 1), (20000, 20), (20, 20000), (1, 20000), (3, 5)])
@pytest.mark.parametrize("thumbnail", [True, False])
def test_any_size_is_answered_as_planned(size: tuple[int, int], thumbnail: bool) -> None:
    tiler = PLMTilesTiler(14, max_tiles=36, thumbnail=thumbnail)
    plan = tiler.plan(*size)
    assert 0 < plan.num_tiles == plan.columns * plan.rows + thumbnail
    assert plan.num_tiles <= tiler.max_tiles_per_image() == 36 + thumbnail
    assert tiler(Image.new("RGB", size)).shape == (plan.num_tiles, 3, 14, 14)


def test_one_tile_at_most() -> None:
    assert PLMTilesTiler(14, max_tiles=1).plan(640, 480) == TilePlan(2, 1, 1, thumbnail=True)


@pytest.mark.parametrize("max_tiles", [0, -3])
def test_no_tile_is_refused(max_tiles: int) -> None:
    with pytest.raises(SpecError) as caught:
        PLMTilesTiler(448, max_tiles=max_tiles)
    assert str(caught.value) == (
        f"max_tiles={max_tiles} leaves no tile.\n"
        "  where:    image_tiler/plm_tiles, option max_tiles\n"
        "  expected: 1 or more; the published models use 36\n"
        "  fix:      set image_tiler.max_tiles=36"
    )
